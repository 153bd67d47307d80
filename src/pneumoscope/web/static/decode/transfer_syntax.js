// The transfer syntaxes that are read (PS3.5 clause 10), by UID.

/**
 * @typedef {object} Syntax
 * @property {string} name  as in PS3.6
 * @property {boolean} implicit
 * @property {boolean} little
 * @property {boolean} encapsulated
 * @property {"jpeg" | "extended" | "lossless" | "charls" | "openjpeg"} [codec]  of an encapsulated one other than RLE
 * @property {"always" | "unless stated"} [lossy]
 */

/** @type {Record<string, Syntax>} */
export const SYNTAX = {
  "1.2.840.10008.1.2": { name: "Implicit VR Little Endian", implicit: true, little: true, encapsulated: false },
  "1.2.840.10008.1.2.1": { name: "Explicit VR Little Endian", implicit: false, little: true, encapsulated: false },
  "1.2.840.10008.1.2.1.99": { name: "Deflated Explicit VR Little Endian", implicit: false, little: true, encapsulated: false },
  "1.2.840.10008.1.2.2": { name: "Explicit VR Big Endian", implicit: false, little: false, encapsulated: false },
  "1.2.840.10008.1.2.5": { name: "RLE Lossless", implicit: false, little: true, encapsulated: true },
  "1.2.840.10008.1.2.4.50": compressed("JPEG Baseline (Process 1)", "jpeg", "always"),
  "1.2.840.10008.1.2.4.51": compressed("JPEG Extended (Process 2 and 4)", "extended", "always"),
  "1.2.840.10008.1.2.4.57": compressed("JPEG Lossless, Non-Hierarchical (Process 14)", "lossless"),
  "1.2.840.10008.1.2.4.70": compressed(
    "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
    "lossless",
  ),
  "1.2.840.10008.1.2.4.80": compressed("JPEG-LS Lossless Image Compression", "charls"),
  "1.2.840.10008.1.2.4.81": compressed("JPEG-LS Lossy (Near-Lossless) Image Compression", "charls", "always"),
  "1.2.840.10008.1.2.4.90": compressed("JPEG 2000 Image Compression (Lossless Only)", "openjpeg"),
  "1.2.840.10008.1.2.4.91": compressed("JPEG 2000 Image Compression", "openjpeg", "unless stated"),
  "1.2.840.10008.1.2.4.201": compressed("High-Throughput JPEG 2000 Image Compression (Lossless Only)", "openjpeg"),
  "1.2.840.10008.1.2.4.202": compressed("High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)", "openjpeg"),
  "1.2.840.10008.1.2.4.203": compressed("High-Throughput JPEG 2000 Image Compression", "openjpeg", "unless stated"),
};

/** UID of the deflated transfer syntax. */
export const DEFLATED = "1.2.840.10008.1.2.1.99";

/**
 * @param {string} name
 * @param {Syntax["codec"]} codec
 * @param {Syntax["lossy"]} [lossy]
 * @returns {Syntax}
 */
function compressed(name, codec, lossy) {
  return { name, implicit: false, little: true, encapsulated: true, codec, lossy };
}

/**
 * Name a transfer syntax in a sentence.
 * @param {string} uid
 * @returns {string}
 */
export function syntaxName(uid) {
  return SYNTAX[uid]?.name ?? "an unknown transfer syntax";
}
