// Decode a DICOM CR, DX or RG instance into a film: pneumoscope.radiograph.dicom, with dicom-parser.

import dicomParser from "../vendor/dicom-parser.js";
import { FRONTAL_VIEWS, NOT_A_TERM, PROJECTION_MODALITIES, isChest, namedView } from "./attributes.js";
import { notARadiograph, tooLarge, unreadableFile } from "./errors.js";
import { display } from "./grey_scale.js";
import { ageOf, elementOf, integerOf, itemsOf, numberOf, pairOf, termOf, textsOf } from "./header.js";
import { InflateError, inflate, joined } from "./inflate.js";
import { MAX_INFLATED_BYTES, withCommas } from "./limits.js";
import { orientationOf, parseDirections, planeOf } from "./orientation.js";
import { checkSize, storedValues } from "./stored_values.js";
import { DEFLATED, SYNTAX } from "./transfer_syntax.js";

/** @typedef {import("./header.js").Context} Context */
/** @typedef {import("./orientation.js").Directions} Directions */
/** @typedef {import("./radiograph.js").Radiograph} Radiograph */

const VRS = "AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST TM UC UI UL UN UR US UT".split(" ");
const FOR_PROCESSING_CLASS = "1.2.840.10008.5.1.4.1.1.1.1.1";
/** Views by their codes of CID 4010, SNOMED CT and SNOMED-RT. */
const VIEW_CODES = [
  ["PA", "272479007", "R-40888"],
  ["AP", "399348003", "R-10206"],
  ["LL", "399173006", "R-10236"],
  ["RL", "399198007", "R-10232"],
  ["LATERAL", "399067008", "R-102CD"],
  ["LAO", "399135007", "R-10220"],
  ["RAO", "399356000", "R-40985"],
  ["LPO", "399006002", "R-10212"],
  ["RPO", "399038007", "R-10210"],
];
const DAMAGED = "the DICOM elements could not be parsed: the file is truncated or damaged; send it again from its source";

/**
 * Whether bytes begin as DICOM does, with or without its prefix.
 * @param {Uint8Array} bytes
 * @returns {boolean}
 */
export function looksLikeDicom(bytes) {
  if (latin(bytes, 128, 132) === "DICM") return true;
  const [group, vr] = [latin(bytes, 0, 2), latin(bytes, 4, 6)];
  if (group === "\0\x08") return VRS.includes(vr);
  if (!["\x02\0", "\x08\0"].includes(group) || bytes.length < 8 || bytes[3] > 1) return false;
  return VRS.includes(vr) || new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true) < 2 ** 10;
}

/**
 * Decode one DICOM instance.
 * @param {Uint8Array} bytes  the whole file
 * @param {import("./codecs.js").LoadCodec} load
 * @returns {Promise<Radiograph>}
 */
export async function decodeDicom(bytes, load) {
  try {
    const { context, syntax } = parse(bytes);
    checkKind(context);
    checkSize(context);
    const shown = display(context, await storedValues(context, syntax, load));
    return radiographOf(context, syntax, shown);
  } catch (error) {
    if (error instanceof Error && error.name === "RadiographError") throw error;
    throw unreadableFile("the DICOM image could not be read: its header holds values that do not fit each other; export it again");
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} to
 */
function latin(bytes, from, to) {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/**
 * @param {Uint8Array} bytes
 * @returns {{context: Context, syntax: string}}
 */
function parse(bytes) {
  let parsed;
  try {
    parsed = elementsOf(bytes);
  } catch (error) {
    if (error instanceof Error && error.name === "RadiographError") throw error;
    throw unreadableFile(DAMAGED); // dicom-parser throws texts, too
  }
  const context = { data: parsed.data, little: parsed.little, signed: false };
  if (!parsed.data.elements.x7fe00010) {
    throw unreadableFile("the DICOM file has no Pixel Data: it is truncated or no image; send it again from its source");
  }
  context.signed = elementOf(context, "PixelRepresentation") !== null && numberOf(context, "PixelRepresentation") === 1;
  return { context, syntax: parsed.syntax };
}

/**
 * Parse the File Meta Information, where there is one, and the data set.
 * @param {Uint8Array} bytes
 * @returns {{data: import("./header.js").DataSet, little: boolean, syntax: string}}
 */
function elementsOf(bytes) {
  const prefixed = latin(bytes, 128, 132) === "DICM";
  const withMeta = prefixed || latin(bytes, 0, 2) === "\x02\0";
  if (!withMeta) return bareElements(bytes);
  const whole = prefixed ? bytes : joined([new Uint8Array(128), Uint8Array.from([68, 73, 67, 77]), bytes]);
  const meta = dicomParser.readPart10Header(whole, { TransferSyntaxUID: "" });
  const stated = meta.string("x00020010")?.trim() ?? "";
  const start = metaEnd(meta);
  if (stated === DEFLATED) return elements(deflated(whole.subarray(start)), 0, false, true, stated);
  const form = SYNTAX[stated];
  const little = form?.little ?? true;
  const implicit = explicitVr(whole, start) ? false : (form?.implicit ?? true);
  return elements(whole, start, implicit, little, stated || (little ? "1.2.840.10008.1.2.1" : "1.2.840.10008.1.2.2"));
}

/**
 * Position after the last element of the File Meta Information.
 * @param {{elements: Record<string, {dataOffset: number, length: number}>}} meta
 */
function metaEnd(meta) {
  return Math.max(132, ...Object.values(meta.elements).map((element) => element.dataOffset + element.length));
}

/**
 * A data set without File Meta Information.
 * @param {Uint8Array} bytes
 */
function bareElements(bytes) {
  const little = bytes[0] !== 0;
  return elements(bytes, 0, !explicitVr(bytes, 0), little, little ? "1.2.840.10008.1.2.1" : "1.2.840.10008.1.2.2");
}

/**
 * Whether an element states its value representation.
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function explicitVr(bytes, at) {
  return VRS.includes(latin(bytes, at + 4, at + 6));
}

/**
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {boolean} implicit
 * @param {boolean} little
 * @param {string} syntax
 */
function elements(bytes, start, implicit, little, syntax) {
  const parser = little ? dicomParser.littleEndianByteArrayParser : dicomParser.bigEndianByteArrayParser;
  const stream = new dicomParser.ByteStream(parser, bytes, start);
  const data = new dicomParser.DataSet(parser, bytes, {});
  try {
    if (implicit) dicomParser.parseDicomDataSetImplicit(data, stream, bytes.length, {});
    else dicomParser.parseDicomDataSetExplicit(data, stream, bytes.length, {});
  } catch (error) {
    if (!isCut(data)) throw error;
  }
  return { data, little, syntax };
}

/**
 * Whether a data set ends within an element of stated length, as a truncated file does; its length is then what is there.
 * @param {import("./header.js").DataSet} data
 */
function isCut({ byteArray, elements }) {
  const cut = Object.values(elements).filter((element) => element.dataOffset + element.length > byteArray.length);
  for (const element of cut) element.length = Math.max(byteArray.length - element.dataOffset, 0);
  return cut.length > 0 && cut.every((element) => !element.hadUndefinedLength);
}

/**
 * Unpack a deflated data set (PS3.5 A.5) of bounded size.
 * @param {Uint8Array} packed
 */
function deflated(packed) {
  try {
    return inflate(packed, MAX_INFLATED_BYTES);
  } catch (error) {
    if (!(error instanceof InflateError && error.tooLong)) throw error;
    throw tooLarge(
      `the deflated DICOM data set unpacks to more than ${withCommas(MAX_INFLATED_BYTES)} bytes, more than any radiograph; it was not decoded`,
    );
  }
}

/**
 * Refuse what is no single grey projection image.
 * @param {Context} context
 */
function checkKind(context) {
  const modality = termOf(context, "Modality");
  if (![...PROJECTION_MODALITIES, "", NOT_A_TERM, "OT"].includes(modality)) {
    throw notARadiograph(
      `the DICOM Modality is ${modality}, not one of ${PROJECTION_MODALITIES.join(", ")}; give a projection radiograph`,
    );
  }
  const [frames, samples] = [integerOf(context, "NumberOfFrames", 1), integerOf(context, "SamplesPerPixel", 1)];
  if (frames !== 0 && frames !== 1) throw notARadiograph(`the DICOM object has ${frames} frames; give a single-frame radiograph`);
  const photometric = termOf(context, "PhotometricInterpretation");
  if (samples !== 1 || !["MONOCHROME1", "MONOCHROME2"].includes(photometric)) {
    throw notARadiograph(
      `the DICOM image is ${photometric || "of no stated Photometric Interpretation"} with ${samples} sample(s) a pixel; ` +
        "give a MONOCHROME1 or MONOCHROME2 radiograph",
    );
  }
}

/**
 * @param {Context} context
 * @param {string} syntax
 * @param {import("./grey_scale.js").Displayed} displayed
 * @returns {Radiograph}
 */
function radiographOf(context, syntax, { source, ...tables }) {
  const directions = parseDirections(textsOf(context, "PatientOrientation").map((text) => text.toUpperCase()));
  const view = viewPosition(context);
  const spacing = spacingOf(context);
  const known = directions ?? { row: "", column: "" };
  return {
    film: {
      rows: integerOf(context, "Rows"), cols: integerOf(context, "Columns"), ...tables, spacing,
      aspect: aspectOf(context, spacing), orientation: orientationOf(known), lossy: isLossy(context, syntax),
    },
    file_format: "DICOM", grey_source: source, modality: termOf(context, "Modality"), view_position: view,
    body_part: bodyPart(context), intent: intentOf(context), row_direction: known.row, column_direction: known.column,
    contradictions: contradictionsOf(context, directions, view), ...ageOf(context), photograph: false,
  };
}

/**
 * @param {Context} context
 */
function bodyPart(context) {
  const part = termOf(context, "BodyPartExamined");
  return part === NOT_A_TERM && isChest(textsOf(context, "BodyPartExamined").join(" ")) ? "CHEST" : part;
}

/**
 * View Position, or where it says nothing the View Code Sequence.
 * @param {Context} context
 */
function viewPosition(context) {
  const view = termOf(context, "ViewPosition");
  if (view && view !== NOT_A_TERM) return view;
  const spelled = namedView(textsOf(context, "ViewPosition").join(" "));
  if (spelled) return spelled;
  for (const item of itemsOf(context, "ViewCodeSequence")) {
    const [value, scheme] = [textsOf(item, "CodeValue")[0] ?? "", textsOf(item, "CodingSchemeDesignator")[0] ?? ""];
    const code = VIEW_CODES.find(([, sct, srt]) => (scheme === "SCT" && value === sct) || (scheme === "SRT" && value === srt));
    if (code) return code[0];
  }
  return view;
}

/**
 * @param {Context} context
 */
function intentOf(context) {
  const stated = termOf(context, "PresentationIntentType");
  if (stated === "FOR PROCESSING" || textsOf(context, "SOPClassUID")[0] === FOR_PROCESSING_CLASS) return "FOR PROCESSING";
  return stated === "FOR PRESENTATION" ? stated : "";
}

/**
 * What the header says that cannot all be true, or leaves the patient's sides in doubt.
 * @param {Context} context
 * @param {Directions | null} directions
 * @param {string} view
 * @returns {string[]}
 */
function contradictionsOf(context, directions, view) {
  const sentences = [];
  const plane = directions && planeOf(directions);
  const frontal = FRONTAL_VIEWS.includes(view);
  if (!directions) sentences.push("Patient Orientation does not name two directions in the patient");
  else if (plane === "other" || (plane === "sagittal" && frontal)) {
    sentences.push(
      `Patient Orientation is ${directions.row}\\${directions.column}, which is not that of a ${frontal ? "frontal" : "chest"} view`,
    );
  } else if (plane === "unknown" && termOf(context, "FieldOfViewHorizontalFlip") === "YES") {
    sentences.push("Field of View Horizontal Flip is YES and Patient Orientation is not stated");
  }
  const [photometric, shape] = [termOf(context, "PhotometricInterpretation"), termOf(context, "PresentationLUTShape")];
  if ((photometric === "MONOCHROME1" && shape === "IDENTITY") || (photometric === "MONOCHROME2" && shape === "INVERSE")) {
    sentences.push(`Photometric Interpretation is ${photometric} and Presentation LUT Shape is ${shape}`);
  }
  return sentences;
}

/**
 * Pixel Spacing, Imager Pixel Spacing and Nominal Scanned Pixel Spacing, PS3.3 10.7.1.
 * @param {Context} context
 * @returns {import("../film/film.js").Spacing | null}
 */
function spacingOf(context) {
  const pixel = pairOf(context, "PixelSpacing");
  const [imager, scanned] = [pairOf(context, "ImagerPixelSpacing"), pairOf(context, "NominalScannedPixelSpacing")];
  if (pixel) {
    const same = [imager, scanned].some((other) => other && other[0] === pixel[0] && other[1] === pixel[1]);
    return { row_mm: pixel[0], col_mm: pixel[1], kind: same ? "detector" : kindOf(context, Boolean(imager || scanned)) };
  }
  const detector = imager ?? scanned;
  if (!detector) return null;
  const factor = numberOf(context, "EstimatedRadiographicMagnificationFactor");
  if (factor === null || factor < 1) return { row_mm: detector[0], col_mm: detector[1], kind: "detector" };
  return { row_mm: detector[0] / factor, col_mm: detector[1] / factor, kind: "patient" };
}

/**
 * Kind of a Pixel Spacing that differs from the spacing at the detector, or has none to be compared with.
 * @param {Context} context
 * @param {boolean} compared
 * @returns {import("../film/film.js").Spacing["kind"]}
 */
function kindOf(context, compared) {
  const calibration = termOf(context, "PixelSpacingCalibrationType");
  if (calibration === "FIDUCIAL") return "calibrated";
  return compared || calibration === "GEOMETRY" ? "patient" : "unstated";
}

/**
 * Height of a pixel over its width.
 * @param {Context} context
 * @param {import("../film/film.js").Spacing | null} spacing
 */
function aspectOf(context, spacing) {
  if (spacing) return spacing.row_mm / spacing.col_mm;
  const ratio = pairOf(context, "PixelAspectRatio");
  return ratio ? ratio[0] / ratio[1] : 1;
}

/**
 * @param {Context} context
 * @param {string} syntax
 */
function isLossy(context, syntax) {
  const [stated, lossy] = [termOf(context, "LossyImageCompression"), SYNTAX[syntax]?.lossy];
  return stated === "01" || lossy === "always" || (lossy === "unless stated" && stated !== "00");
}
