// Decode JPEG Extended (ITU-T T.81, process 4: sequential, Huffman, 12 bits) of one component, with the integer inverse DCT of
// the Independent JPEG Group (jidctint.c: Loeffler, Ligtenberg and Moschytz 1989), so that samples equal those of libjpeg to the
// bit.

import { JpegError } from "./jpeg_header.js";

/** @typedef {{sizes: Uint8Array, values: Uint8Array}} Huffman  by the next 16 bits: length of the code and its value */
/**
 * @typedef {object} Frame
 * @property {number} precision
 * @property {number} rows
 * @property {number} cols
 * @property {Uint16Array} quantization  in natural order
 * @property {Huffman} dc
 * @property {Huffman} ac
 * @property {number} restart  blocks between restarts; 0 for none
 */

const ZIGZAG = Uint8Array.from([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49,
  56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
]);

/**
 * Decode a JPEG Extended or Baseline image of one component.
 * @param {Uint8Array} bytes
 * @returns {Uint16Array}  samples in order
 */
export function decodeExtended(bytes) {
  const { frame, scan } = parse(bytes);
  const samples = new Uint16Array(frame.rows * frame.cols);
  const bits = new EntropyBits(bytes, scan);
  const block = new Int32Array(64);
  const across = Math.ceil(frame.cols / 8);
  const blocks = across * Math.ceil(frame.rows / 8);
  for (let k = 0, previous = 0; k < blocks; k++) {
    if (frame.restart && k && k % frame.restart === 0) {
      bits.restart();
      previous = 0;
    }
    previous = coefficients(bits, frame, block, previous);
    inverseDct(block, frame.precision > 8 ? 1 : 2);
    write(block, samples, frame, 8 * Math.floor(k / across), 8 * (k % across));
  }
  return samples;
}

/**
 * Read the segments up to the scan.
 * @param {Uint8Array} bytes
 * @returns {{frame: Frame, scan: number}}  and the position of the entropy-coded data
 */
function parse(bytes) {
  /** @type {Uint16Array[]} */
  const tables = [];
  /** @type {Huffman[]} */
  const codes = []; // DC 0 to 3, AC 16 to 19
  const frame = { precision: 0, rows: 0, cols: 0, table: 0, restart: 0 };
  for (let at = 2; ; ) {
    const [code, length] = [bytes[at + 1], (bytes[at + 2] << 8) | bytes[at + 3]];
    if (bytes[at] !== 0xff || length < 2 || at + 2 + length > bytes.length) throw new JpegError("no marker segment");
    const segment = bytes.subarray(at + 4, at + 2 + length);
    at += 2 + length;
    if (code === 0xdb) quantizationTables(segment, tables);
    else if (code === 0xc4) huffmanTables(segment, codes);
    else if (code === 0xdd) frame.restart = (segment[0] << 8) | segment[1];
    else if (code === 0xc0 || code === 0xc1) {
      Object.assign(frame, {
        precision: segment[0], rows: (segment[1] << 8) | segment[2], cols: (segment[3] << 8) | segment[4], table: segment[8],
      });
    } else if (code >= 0xc2 && code <= 0xcf && code !== 0xc8) throw new JpegError("another process than a sequential one");
    else if (code === 0xda) {
      const [quantization, dc, ac] = [tables[frame.table], codes[segment[2] >> 4], codes[16 + (segment[2] & 15)]];
      if (!frame.rows || segment[0] !== 1 || !quantization || !dc || !ac) throw new JpegError("a scan without its tables");
      return { frame: { ...frame, quantization, dc, ac }, scan: at };
    }
  }
}

/**
 * @param {Uint8Array} segment
 * @param {Uint16Array[]} tables
 */
function quantizationTables(segment, tables) {
  for (let at = 0; at < segment.length; ) {
    const [wide, to] = [segment[at] >> 4, segment[at] & 15];
    const table = new Uint16Array(64);
    at++;
    for (let k = 0; k < 64; k++, at += 1 + wide) table[ZIGZAG[k]] = wide ? (segment[at] << 8) | segment[at + 1] : segment[at];
    tables[to] = table;
  }
}

/**
 * @param {Uint8Array} segment
 * @param {Huffman[]} codes
 */
function huffmanTables(segment, codes) {
  for (let at = 0; at < segment.length; ) {
    const to = segment[at];
    const counts = segment.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    codes[to] = huffman(counts, segment.subarray(at + 17, at + 17 + total));
    at += 17 + total;
  }
}

/**
 * @param {Uint8Array} counts  of codes by length, 1 to 16
 * @param {Uint8Array} symbols
 * @returns {Huffman}
 */
function huffman(counts, symbols) {
  const [sizes, values] = [new Uint8Array(2 ** 16), new Uint8Array(2 ** 16)];
  let [from, next] = [0, 0];
  for (let length = 1; length <= 16; length++) {
    for (let k = 0; k < counts[length - 1]; k++, next++) {
      const to = from + 2 ** (16 - length);
      if (to > 2 ** 16) throw new JpegError("an oversubscribed code");
      sizes.fill(length, from, to);
      values.fill(symbols[next], from, to);
      from = to;
    }
  }
  return { sizes, values };
}

/** The bits of the entropy-coded data, without the stuffed bytes; zeros after its end, as many as libjpeg would not complain of. */
class EntropyBits {
  /**
   * @param {Uint8Array} bytes
   * @param {number} at
   */
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
    this.held = 0;
    this.count = 0;
    this.missing = 0;
  }

  /** Hold at least 16 bits. */
  fill() {
    while (this.count < 16) {
      let byte = this.bytes[this.at];
      if (byte === 0xff && this.bytes[this.at + 1] === 0) this.at++;
      else if (byte === 0xff || byte === undefined) {
        if (++this.missing > 4) throw new JpegError("the entropy-coded data end too early");
        this.at--;
        byte = 0;
      }
      this.at++;
      this.held = ((this.held << 8) | byte) & 0xffffff;
      this.count += 8;
    }
  }

  /**
   * @param {Huffman} code
   * @returns {number}
   */
  symbol(code) {
    this.fill();
    const next = (this.held >> (this.count - 16)) & 0xffff;
    const size = code.sizes[next];
    if (!size) throw new JpegError("no such code");
    this.count -= size;
    return code.values[next];
  }

  /**
   * Read a signed number of so many bits (T.81, F.2.2.1).
   * @param {number} size
   * @returns {number}
   */
  signed(size) {
    if (!size) return 0;
    this.fill();
    this.count -= size;
    const value = (this.held >> this.count) & ((1 << size) - 1);
    return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
  }

  /** Go on after the next restart marker. */
  restart() {
    while (this.at + 1 < this.bytes.length && !(this.bytes[this.at] === 0xff && (this.bytes[this.at + 1] & 0xf8) === 0xd0)) this.at++;
    this.at += 2;
    this.held = this.count = this.missing = 0;
  }
}

/**
 * Decode the dequantized coefficients of a block.
 * @param {EntropyBits} bits
 * @param {Frame} frame
 * @param {Int32Array} block  filled, in natural order
 * @param {number} previous  DC coefficient of the block before
 * @returns {number}  DC coefficient of this one
 */
function coefficients(bits, { quantization, dc, ac }, block, previous) {
  block.fill(0);
  const level = previous + bits.signed(bits.symbol(dc));
  block[0] = level * quantization[0];
  for (let k = 1; k < 64; k++) {
    const symbol = bits.symbol(ac);
    const [run, size] = [symbol >> 4, symbol & 15];
    if (!size && run < 15) break;
    k += run;
    if (k > 63) throw new JpegError("a coefficient beyond its block");
    if (size) block[ZIGZAG[k]] = bits.signed(size) * quantization[ZIGZAG[k]];
  }
  return level;
}

/**
 * Compute the inverse DCT in place, first of the columns, then of the rows.
 * @param {Int32Array} block
 * @param {number} pass1Bits  fraction bits between the passes: 2, or 1 for 12 bits
 */
function inverseDct(block, pass1Bits) {
  for (let k = 0; k < 8; k++) line(block, k, 8, 13 - pass1Bits);
  for (let k = 0; k < 8; k++) line(block, 8 * k, 1, 13 + pass1Bits + 3);
}

/**
 * One line of eight; constants are the ones of jidctint.c, times 2¹³.
 * @param {Int32Array} block
 * @param {number} start
 * @param {number} step
 * @param {number} shift
 */
function line(block, start, step, shift) {
  const at = (/** @type {number} */ k) => block[start + k * step];
  const z = (at(2) + at(6)) * 4433;
  const even2 = z - at(6) * 15137;
  const even3 = z + at(2) * 6270;
  const even0 = (at(0) + at(4)) * 8192;
  const even1 = (at(0) - at(4)) * 8192;
  const even = [even0 + even3, even1 + even2, even1 - even2, even0 - even3];
  const odd = oddPart(at(7), at(5), at(3), at(1));
  const round = 2 ** (shift - 1);
  for (let k = 0; k < 4; k++) {
    block[start + k * step] = Math.floor((even[k] + odd[3 - k] + round) / 2 ** shift);
    block[start + (7 - k) * step] = Math.floor((even[k] - odd[3 - k] + round) / 2 ** shift);
  }
}

/**
 * The odd part, for the inputs 7, 5, 3 and 1.
 * @param {number} t0
 * @param {number} t1
 * @param {number} t2
 * @param {number} t3
 */
function oddPart(t0, t1, t2, t3) {
  const z5 = (t0 + t2 + t1 + t3) * 9633;
  const z1 = (t0 + t3) * -7373;
  const z2 = (t1 + t2) * -20995;
  const z3 = (t0 + t2) * -16069 + z5;
  const z4 = (t1 + t3) * -3196 + z5;
  return [t0 * 2446 + z1 + z3, t1 * 16819 + z2 + z4, t2 * 25172 + z2 + z3, t3 * 12299 + z1 + z4];
}

/**
 * Shift the levels of a block back, cut them to the range, and write them.
 * @param {Int32Array} block
 * @param {Uint16Array} samples
 * @param {Frame} frame
 * @param {number} top
 * @param {number} left
 */
function write(block, samples, { precision, rows, cols }, top, left) {
  const [middle, highest] = [2 ** (precision - 1), 2 ** precision - 1];
  for (let row = 0; row < 8 && top + row < rows; row++) {
    for (let col = 0; col < 8 && left + col < cols; col++) {
      samples[(top + row) * cols + left + col] = Math.min(Math.max(block[8 * row + col] + middle, 0), highest);
    }
  }
}
