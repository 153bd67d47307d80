// Unpack deflate streams (RFC 1951), up to a bound. The browser's own DecompressionStream refuses streams with a byte after their
// end, such as DICOM's padding to an even length, and loses what it has unpacked; this one ends where the stream ends.

/** A deflate stream is damaged, truncated, or unpacks to more than it may. */
export class InflateError extends Error {
  /**
   * @param {string} message
   * @param {boolean} [tooLong]  whether it unpacks to more than the bound
   */
  constructor(message, tooLong = false) {
    super(message);
    this.tooLong = tooLong;
  }
}

/** @typedef {{table: Uint16Array, bits: number}} Code  symbol × 16 + length, by the next `bits` bits of the stream */
/** @typedef {{bytes: Uint8Array, at: number, held: number, count: number}} Bits  bits held, the first one lowest */

const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCES = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289,
  16385, 24577,
];
const DISTANCE_BITS = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const FIXED = [
  codeOf(Uint8Array.from({ length: 288 }, (_, k) => (k < 144 ? 8 : k < 256 ? 9 : k < 280 ? 7 : 8))),
  codeOf(new Uint8Array(30).fill(5)),
];

/**
 * Unpack a raw deflate stream.
 * @param {Uint8Array} packed  may go on after the end of the stream
 * @param {number} most  bytes that it may unpack to
 * @param {number} [expected]  bytes that it probably unpacks to
 * @returns {Uint8Array}
 */
export function inflate(packed, most, expected = 4 * packed.length) {
  const bits = { bytes: packed, at: 0, held: 0, count: 0 };
  const out = { bytes: new Uint8Array(Math.max(Math.min(expected, most), 1)), size: 0, most };
  for (let last = 0; !last; ) {
    last = take(bits, 1);
    const kind = take(bits, 2);
    if (kind === 0) stored(bits, out);
    else if (kind === 3) throw new InflateError("an unknown kind of block");
    else compressed(bits, out, kind === 1 ? FIXED : codes(bits));
  }
  return out.bytes.subarray(0, out.size);
}

/**
 * Unpack a zlib stream (RFC 1950); its checksum is not compared.
 * @param {Uint8Array} packed
 * @param {number} most
 * @param {number} expected
 * @returns {Uint8Array}
 */
export function inflateZlib(packed, most, expected) {
  if (packed.length < 2 || (packed[0] & 15) !== 8 || ((packed[0] << 8) | packed[1]) % 31) throw new InflateError("no zlib stream");
  return inflate(packed.subarray(2), most, expected);
}

/**
 * Join parts of bytes.
 * @param {Uint8Array[]} parts
 * @returns {Uint8Array}
 */
export function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * @param {Bits} bits
 * @param {number} count  0 to 16
 */
function take(bits, count) {
  while (bits.count < count) {
    if (bits.at >= bits.bytes.length) throw new InflateError("the stream ends too early");
    bits.held |= bits.bytes[bits.at++] << bits.count;
    bits.count += 8;
  }
  const value = bits.held & ((1 << count) - 1);
  bits.held >>>= count;
  bits.count -= count;
  return value;
}

/**
 * Decode one symbol.
 * @param {Bits} bits
 * @param {Code} code
 */
function symbol(bits, code) {
  while (bits.count < code.bits && bits.at < bits.bytes.length) {
    bits.held |= bits.bytes[bits.at++] << bits.count;
    bits.count += 8;
  }
  const entry = code.table[bits.held & ((1 << code.bits) - 1)];
  const length = entry & 15;
  if (!length || length > bits.count) throw new InflateError("no such code");
  bits.held >>>= length;
  bits.count -= length;
  return entry >> 4;
}

/**
 * Make the table of a canonical Huffman code (RFC 1951, 3.2.2).
 * @param {Uint8Array} lengths  of each symbol; 0 for one that does not occur
 * @returns {Code}
 */
function codeOf(lengths) {
  const bits = Math.max(1, ...lengths);
  const table = new Uint16Array(1 << bits);
  let next = 0;
  for (let length = 1; length <= bits; length++, next <<= 1) {
    for (let k = 0; k < lengths.length; k++) {
      if (lengths[k] !== length) continue;
      if (next >= 1 << length) throw new InflateError("an oversubscribed code");
      for (let at = reversed(next++, length); at < table.length; at += 1 << length) table[at] = (k << 4) | length;
    }
  }
  return { table, bits };
}

/**
 * @param {number} value
 * @param {number} length
 */
function reversed(value, length) {
  let turned = 0;
  for (let k = 0; k < length; k++) turned |= ((value >> k) & 1) << (length - 1 - k);
  return turned;
}

/**
 * Read the codes of a block (RFC 1951, 3.2.7).
 * @param {Bits} bits
 */
function codes(bits) {
  const [literals, distances, count] = [take(bits, 5) + 257, take(bits, 5) + 1, take(bits, 4) + 4];
  const first = new Uint8Array(19);
  for (let k = 0; k < count; k++) first[ORDER[k]] = take(bits, 3);
  const code = codeOf(first);
  const lengths = new Uint8Array(literals + distances);
  for (let k = 0; k < lengths.length; ) {
    const value = symbol(bits, code);
    if (value < 16) {
      lengths[k++] = value;
      continue;
    }
    const repeated = value === 16 ? lengths[k - 1] : 0;
    const times = value === 16 ? 3 + take(bits, 2) : value === 17 ? 3 + take(bits, 3) : 11 + take(bits, 7);
    if ((value === 16 && k === 0) || k + times > lengths.length) throw new InflateError("lengths of codes beyond their number");
    lengths.fill(repeated, k, (k += times));
  }
  return [codeOf(lengths.subarray(0, literals)), codeOf(lengths.subarray(literals))];
}

/** @typedef {{bytes: Uint8Array, size: number, most: number}} Out */

/**
 * @param {Out} out
 * @param {number} more
 */
function grow(out, more) {
  const needed = out.size + more;
  if (needed > out.most) throw new InflateError("more bytes than allowed", true);
  if (needed <= out.bytes.length) return;
  const larger = new Uint8Array(Math.min(Math.max(2 * out.bytes.length, needed), out.most));
  larger.set(out.bytes.subarray(0, out.size));
  out.bytes = larger;
}

/**
 * @param {Bits} bits
 * @param {Out} out
 */
function stored(bits, out) {
  bits.at -= bits.count >> 3; // whole bytes that were held
  bits.held = bits.count = 0;
  const { bytes, at } = bits;
  const length = bytes[at] | (bytes[at + 1] << 8);
  if (at + 4 + length > bytes.length) throw new InflateError("the stream ends too early");
  grow(out, length);
  out.bytes.set(bytes.subarray(at + 4, at + 4 + length), out.size);
  out.size += length;
  bits.at = at + 4 + length;
}

/**
 * @param {Bits} bits
 * @param {Out} out
 * @param {Code[]} codes
 */
function compressed(bits, out, [literals, distances]) {
  for (;;) {
    const value = symbol(bits, literals);
    if (value < 256) {
      if (out.size === out.bytes.length) grow(out, 1);
      out.bytes[out.size++] = value;
      continue;
    }
    if (value === 256) return;
    if (value > 285) throw new InflateError("no such length");
    const length = LENGTHS[value - 257] + take(bits, LENGTH_BITS[value - 257]);
    const number = symbol(bits, distances);
    if (number > 29) throw new InflateError("no such distance");
    copy(out, length, DISTANCES[number] + take(bits, DISTANCE_BITS[number]));
  }
}

/**
 * @param {Out} out
 * @param {number} length
 * @param {number} distance
 */
function copy(out, length, distance) {
  if (distance > out.size) throw new InflateError("a distance beyond the start");
  grow(out, length);
  const { bytes } = out;
  let to = out.size;
  for (const end = to + length; to < end; to++) bytes[to] = bytes[to - distance];
  out.size = to;
}
