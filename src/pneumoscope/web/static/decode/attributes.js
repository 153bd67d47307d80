// The DICOM attributes that are read (PS3.6), and their defined terms: pneumoscope.radiograph.terms.

/** @typedef {{tag: string, vr: string, name: string}} Attribute  tag as dicom-parser writes it, such as x00281050 */
/** @typedef {keyof typeof ATTRIBUTES} Keyword */

/**
 * @param {string} tag
 * @param {string} vr
 * @param {string} name
 * @returns {Attribute}
 */
function attribute(tag, vr, name) {
  return { tag: `x${tag}`, vr, name };
}

/** Attributes by keyword. */
export const ATTRIBUTES = {
  SOPClassUID: attribute("00080016", "UI", "SOP Class UID"),
  Modality: attribute("00080060", "CS", "Modality"),
  PresentationIntentType: attribute("00080068", "CS", "Presentation Intent Type"),
  CodeValue: attribute("00080100", "SH", "Code Value"),
  CodingSchemeDesignator: attribute("00080102", "SH", "Coding Scheme Designator"),
  PatientAge: attribute("00101010", "AS", "Patient's Age"),
  BodyPartExamined: attribute("00180015", "CS", "Body Part Examined"),
  EstimatedRadiographicMagnificationFactor: attribute("00181114", "DS", "Estimated Radiographic Magnification Factor"),
  ImagerPixelSpacing: attribute("00181164", "DS", "Imager Pixel Spacing"),
  NominalScannedPixelSpacing: attribute("00182010", "DS", "Nominal Scanned Pixel Spacing"),
  ViewPosition: attribute("00185101", "CS", "View Position"),
  FieldOfViewHorizontalFlip: attribute("00187034", "CS", "Field of View Horizontal Flip"),
  PatientOrientation: attribute("00200020", "CS", "Patient Orientation"),
  SamplesPerPixel: attribute("00280002", "US", "Samples per Pixel"),
  PhotometricInterpretation: attribute("00280004", "CS", "Photometric Interpretation"),
  NumberOfFrames: attribute("00280008", "IS", "Number of Frames"),
  Rows: attribute("00280010", "US", "Rows"),
  Columns: attribute("00280011", "US", "Columns"),
  PixelSpacing: attribute("00280030", "DS", "Pixel Spacing"),
  PixelAspectRatio: attribute("00280034", "IS", "Pixel Aspect Ratio"),
  BitsAllocated: attribute("00280100", "US", "Bits Allocated"),
  BitsStored: attribute("00280101", "US", "Bits Stored"),
  HighBit: attribute("00280102", "US", "High Bit"),
  PixelRepresentation: attribute("00280103", "US", "Pixel Representation"),
  PixelPaddingValue: attribute("00280120", "US or SS", "Pixel Padding Value"),
  PixelPaddingRangeLimit: attribute("00280121", "US or SS", "Pixel Padding Range Limit"),
  PixelSpacingCalibrationType: attribute("00280a02", "CS", "Pixel Spacing Calibration Type"),
  WindowCenter: attribute("00281050", "DS", "Window Center"),
  WindowWidth: attribute("00281051", "DS", "Window Width"),
  RescaleIntercept: attribute("00281052", "DS", "Rescale Intercept"),
  RescaleSlope: attribute("00281053", "DS", "Rescale Slope"),
  VOILUTFunction: attribute("00281056", "CS", "VOI LUT Function"),
  LossyImageCompression: attribute("00282110", "CS", "Lossy Image Compression"),
  ModalityLUTSequence: attribute("00283000", "SQ", "Modality LUT Sequence"),
  LUTDescriptor: attribute("00283002", "US or SS", "LUT Descriptor"),
  LUTData: attribute("00283006", "US or OW", "LUT Data"),
  VOILUTSequence: attribute("00283010", "SQ", "VOI LUT Sequence"),
  ViewCodeSequence: attribute("00540220", "SQ", "View Code Sequence"),
  PresentationLUTShape: attribute("20500020", "CS", "Presentation LUT Shape"),
  PixelData: attribute("7fe00010", "OW", "Pixel Data"),
};

/**
 * Name an attribute as the Standard does, with its tag, such as ``Window Center (0028,1050)``.
 * @param {Keyword} keyword
 * @returns {string}
 */
export function named(keyword) {
  const { tag, name } = ATTRIBUTES[keyword];
  return `${name} (${tag.slice(1, 5)},${tag.slice(5)})`.replace(/\(.*\)/, (text) => text.toUpperCase());
}

/** Modalities of projection radiographs of the body, in order. */
export const PROJECTION_MODALITIES = ["CR", "DX", "RG"];
const MODALITIES =
  "AR ASMT AU BDUS BI BMD CFM CT CTPROTOCOL DMS DG DOC ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO LEN LS MG " +
  "MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PLAN POS PR PT PX REG RESP RF RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD " +
  "RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC CR DX RG";
const BODY_PARTS =
  "ABDOMEN ABDOMENPELVIS ADRENAL ANKLE ANUS AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BRONCHUS BUTTOCK CALCANEUS CALF CAROTID " +
  "CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CIRCLEOFWILLIS CLAVICLE COCCYX COLON CORNEA CORONARYARTERY " +
  "CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEAD " +
  "HEADNECK HEART HIP HUMERUS ILEUM ILIUM IAC JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER LOWERLEG LSPINE LSSPINE LUNG MAXILLA " +
  "MANDIBLE MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE OPTICCANAL ORBIT OVARY PANCREAS PAROTID " +
  "PATELLA PELVIS PENIS PHARYNX PROSTATE RADIUS RADIUSULNA RECTUM RIB SACRUM SCALP SCAPULA SCLERA SCROTUM SHOULDER SIJOINT " +
  "SINUS SKULL SPINE SPLEEN SSPINE STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THUMB THYMUS THYROID TLSPINE TMJ TOE TONGUE " +
  "TRACHEA TSPINE ULNA UPPERARM URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA";

/** Lateral and oblique views, with the abbreviations that devices write. */
export const LATERAL_VIEWS = "LL RL LAT LATERAL OBLIQUE LLAT RLAT LLO RLO LAO RAO LPO RPO".split(" ");
/** Frontal views; the lateral decubitus views are projected from front to back as well. */
export const FRONTAL_VIEWS = "PA AP RLD LLD".split(" ");

/** @type {Partial<Record<Keyword, string[]>>} */
export const TERMS = {
  BodyPartExamined: BODY_PARTS.split(" "),
  FieldOfViewHorizontalFlip: ["YES", "NO"],
  LossyImageCompression: ["00", "01"],
  Modality: MODALITIES.split(" "),
  PhotometricInterpretation: [
    "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422",
    "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "XYB",
  ],
  PixelSpacingCalibrationType: ["GEOMETRY", "FIDUCIAL"],
  PresentationIntentType: ["FOR PRESENTATION", "FOR PROCESSING"],
  PresentationLUTShape: ["IDENTITY", "INVERSE", "LIN OD"],
  ViewPosition: [...LATERAL_VIEWS, ...FRONTAL_VIEWS],
  VOILUTFunction: ["LINEAR", "LINEAR_EXACT", "SIGMOID"],
};

/** Stands for text of a header that is none of the Standard's defined terms. */
export const NOT_A_TERM = "(no defined term)";

/**
 * Whether a body part, in any spelling, is the chest.
 * @param {string} text
 * @returns {boolean}
 */
export function isChest(text) {
  return ["CHEST", "THORAX", "TORAX", "LUNG", "RIB"].some((part) => text.toUpperCase().includes(part));
}

/**
 * Recognise a lateral or oblique view in a text that is no defined term; empty for other text.
 * @param {string} text
 * @returns {"LATERAL" | "OBLIQUE" | ""}
 */
export function namedView(text) {
  const upper = text.toUpperCase();
  return upper.includes("LAT") ? "LATERAL" : upper.includes("OBL") ? "OBLIQUE" : "";
}
