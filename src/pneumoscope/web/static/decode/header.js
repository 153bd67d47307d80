// Read DICOM attributes one by one, pneumoscope.radiograph.header: what cannot be read is named and never quoted.

import { ATTRIBUTES, NOT_A_TERM, TERMS, named } from "./attributes.js";
import { unreadableFile } from "./errors.js";

/** @typedef {import("./attributes.js").Keyword} Keyword */
/**
 * @typedef {object} Element  of dicom-parser
 * @property {string} [vr]
 * @property {number} dataOffset
 * @property {number} length
 * @property {{dataSet: DataSet}[]} [items]
 * @property {{position: number, length: number, offset: number}[]} [fragments]
 * @property {boolean} [hadUndefinedLength]
 */
/**
 * @typedef {object} DataSet  of dicom-parser
 * @property {Uint8Array} byteArray
 * @property {Record<string, Element>} elements
 */
/** @typedef {{data: DataSet, little: boolean, signed: boolean}} Context  a data set or item, its byte order, its pixels' signedness */

const TEXT_VRS = new Set("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UN UR UT".split(" "));
const SIZES = new Map([["US", 2], ["SS", 2], ["UL", 4], ["SL", 4], ["FL", 4], ["FD", 8]]);
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/;
const OLDEST_YEARS = 130;
const PER_YEAR = new Map([["D", 365.25], ["W", 365.25 / 7], ["M", 12], ["Y", 1]]);

/**
 * Make the error that names an attribute and what is wrong with it.
 * @param {Keyword} keyword
 * @param {string} problem
 */
export function unreadable(keyword, problem) {
  return unreadableFile(`the DICOM attribute ${named(keyword)} is ${problem}; export the image again from its source`);
}

/**
 * Find an element that is not empty.
 * @param {Context} context
 * @param {Keyword} keyword
 * @returns {Element | null}
 */
export function elementOf({ data }, keyword) {
  const element = data.elements[ATTRIBUTES[keyword].tag];
  return element && (element.length || element.items?.length || element.fragments?.length) ? element : null;
}

/**
 * The value representation of an element: its own, else that of the dictionary.
 * @param {Context} context
 * @param {Keyword} keyword
 * @param {Element} element
 * @returns {string}
 */
export function vrOf({ signed }, keyword, element) {
  const own = element.vr && element.vr !== "UN" ? element.vr : ATTRIBUTES[keyword].vr;
  return own === "US or SS" ? (signed ? "SS" : "US") : own;
}

/**
 * The bytes of an element.
 * @param {Context} context
 * @param {Element} element
 * @returns {Uint8Array}
 */
export function bytesOf({ data }, element) {
  return data.byteArray.subarray(element.dataOffset, element.dataOffset + element.length);
}

/**
 * Read the values of an attribute as text; empty where it is missing or empty.
 * @param {Context} context
 * @param {Keyword} keyword
 * @returns {string[]}
 */
export function textsOf(context, keyword) {
  const element = elementOf(context, keyword);
  if (!element) return [];
  const vr = vrOf(context, keyword, element);
  const size = SIZES.get(vr);
  if (size) return binary(context, keyword, element, vr, size).map(String);
  if (!TEXT_VRS.has(vr)) throw unreadable(keyword, "not readable");
  const text = Array.from(bytesOf(context, element), (code) => String.fromCharCode(code)).join("");
  const parts = text.split("\\").map((part) => part.replace(/^[ \0\t\r\n]+|[ \0\t\r\n]+$/g, ""));
  return parts.some(Boolean) ? parts : [];
}

/**
 * Read binary numbers.
 * @param {Context} context
 * @param {Keyword} keyword
 * @param {Element} element
 * @param {string} vr
 * @param {number} size
 * @returns {number[]}
 */
function binary(context, keyword, element, vr, size) {
  const bytes = bytesOf(context, element);
  if (bytes.length % size) throw unreadable(keyword, "not readable");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { little } = context;
  return Array.from({ length: bytes.length / size }, (_, k) => {
    const at = k * size;
    if (vr === "US") return view.getUint16(at, little);
    if (vr === "SS") return view.getInt16(at, little);
    if (vr === "UL") return view.getUint32(at, little);
    if (vr === "SL") return view.getInt32(at, little);
    return vr === "FL" ? view.getFloat32(at, little) : view.getFloat64(at, little);
  });
}

/**
 * Read an attribute whose values are defined terms: the term, `NOT_A_TERM` for any other text, empty where it is missing.
 * @param {Context} context
 * @param {Keyword} keyword
 * @returns {string}
 */
export function termOf(context, keyword) {
  const [given] = textsOf(context, keyword);
  if (given === undefined) return "";
  const upper = given.toUpperCase();
  return TERMS[keyword]?.includes(upper) ? upper : NOT_A_TERM;
}

/**
 * Read the finite numbers of a Decimal String, an Integer String or a binary number. A decimal comma ends a number, as in DCMTK.
 * @param {Context} context
 * @param {Keyword} keyword
 * @returns {number[]}
 */
export function numbersOf(context, keyword) {
  return textsOf(context, keyword).map((text) => {
    const start = NUMBER.exec(text)?.[0];
    if (start === undefined || !/^(,\d*)?$/.test(text.slice(start.length)) || !(Math.abs(Number(start)) <= 1e300)) {
      throw unreadable(keyword, "not finite or not a number");
    }
    return Number(start);
  });
}

/**
 * Read the first of the numbers of an attribute; null where it is missing or empty.
 * @param {Context} context
 * @param {Keyword} keyword
 * @returns {number | null}
 */
export function numberOf(context, keyword) {
  return numbersOf(context, keyword)[0] ?? null;
}

/**
 * Read two numbers above 0; null where there are no two such numbers.
 * @param {Context} context
 * @param {Keyword} keyword
 * @returns {[number, number] | null}
 */
export function pairOf(context, keyword) {
  const given = numbersOf(context, keyword);
  return given.length === 2 && Math.min(...given) > 0 ? [given[0], given[1]] : null;
}

/**
 * Read one integer.
 * @param {Context} context
 * @param {Keyword} keyword
 * @param {number} [otherwise]  where the attribute is missing or empty; without it, the attribute is required
 * @returns {number}
 */
export function integerOf(context, keyword, otherwise) {
  const given = numbersOf(context, keyword);
  if (!given.length) {
    if (otherwise === undefined) throw unreadable(keyword, "missing or empty");
    return otherwise;
  }
  if (given.length > 1 || !Number.isInteger(given[0])) throw unreadable(keyword, "not one integer");
  return given[0];
}

/**
 * Read the items of a sequence; none where it is missing or empty.
 * @param {Context} context
 * @param {Keyword} keyword
 * @returns {Context[]}
 */
export function itemsOf(context, keyword) {
  const element = context.data.elements[ATTRIBUTES[keyword].tag];
  return (element?.items ?? []).map((item) => ({ ...context, data: item.dataSet }));
}

/**
 * Read Patient's Age: three digits and D, W, M or Y; text of another form is not interpreted.
 * @param {Context} context
 * @returns {{age_years: number | null, age_stated: boolean}}
 */
export function ageOf(context) {
  const texts = textsOf(context, "PatientAge");
  const parsed = texts.length === 1 ? /^(\d{3})([DWMY])$/.exec(texts[0]) : null;
  const years = parsed ? Number(parsed[1]) / (PER_YEAR.get(parsed[2]) ?? 1) : null;
  return { age_years: years !== null && years <= OLDEST_YEARS ? years : null, age_stated: texts.length > 0 };
}
