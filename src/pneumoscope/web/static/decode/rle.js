// Decode DICOM RLE frames (PS3.5 annex G).

/**
 * Decode a frame of one sample a pixel.
 * @param {Uint8Array} frame
 * @param {number} pixels
 * @param {number} size  bytes of a pixel: 1, 2 or 4
 * @returns {Uint8Array}  pixels in order, each little-endian
 */
export function decodeRle(frame, pixels, size) {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const segments = view.getUint32(0, true);
  if (segments !== size) throw new Error("the number of RLE segments is not the number of bytes of a pixel");
  const out = new Uint8Array(pixels * size);
  for (let k = 0; k < segments; k++) {
    const end = k + 1 < segments ? view.getUint32(8 + 4 * k, true) : frame.length;
    const count = unpack(frame.subarray(view.getUint32(4 + 4 * k, true), end), out, size - 1 - k, size); // highest byte first
    if (count < pixels) throw new Error("an RLE segment ends too early");
  }
  return out;
}

/**
 * Unpack a segment (PackBits) into every `step`th byte.
 * @param {Uint8Array} packed
 * @param {Uint8Array} out
 * @param {number} to
 * @param {number} step
 * @returns {number}  number of bytes
 */
function unpack(packed, out, to, step) {
  let count = 0;
  for (let at = 0; at + 1 < packed.length; ) {
    const code = packed[at++];
    if (code === 128) continue;
    const repeated = code > 128;
    const length = repeated ? 257 - code : Math.min(code + 1, packed.length - at);
    for (let k = 0; k < length; k++, to += step, count++) out[to] = packed[repeated ? at : at + k];
    at += repeated ? 1 : length;
  }
  return count;
}
