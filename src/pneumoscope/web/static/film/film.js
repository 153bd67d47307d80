// The shapes that the parts of the front end share: a film, a heat map on it, and shapes on it. Types only; nothing runs here.

/**
 * A rectangle in continuous pixels of the stored grid: pixel (r, c) covers [r, r + 1) × [c, c + 1).
 * @typedef {object} Box
 * @property {number} top
 * @property {number} left
 * @property {number} bottom
 * @property {number} right
 */

/**
 * The window that a film states, DICOM PS3.3 C.11.2.
 * @typedef {object} StatedWindow
 * @property {number} centre
 * @property {number} width
 * @property {"LINEAR" | "LINEAR_EXACT" | "SIGMOID"} function
 */

/**
 * Distances between the centres of neighbouring pixels, in millimetres, and what they were measured at: the detector's surface
 * (Imager Pixel Spacing), the patient by a calibration (Pixel Spacing with a calibration), or the patient as stated.
 * @typedef {object} Spacing
 * @property {number} row_mm  distance between two rows
 * @property {number} col_mm  distance between two columns
 * @property {"detector" | "calibrated" | "patient" | "unstated"} kind
 */

/**
 * The turn from the stored grid to the displayed order (first the transposition, then the flips), and the letters at the edges of
 * the displayed picture; "" where the direction is unknown.
 * @typedef {object} Orientation
 * @property {boolean} transposed
 * @property {boolean} flip_rows
 * @property {boolean} flip_cols
 * @property {string} left
 * @property {string} right
 * @property {string} top
 * @property {string} bottom
 */

/**
 * A radiograph on its stored grid: an index for each pixel, and what each index stands for.
 * @typedef {object} Film
 * @property {number} rows
 * @property {number} cols
 * @property {Uint16Array} levels  index into the three tables below, row by row in stored order
 * @property {Float32Array} shown  display grey in [0, 1] of each level in the initial view: polarity, VOI LUT and padding included
 * @property {Float32Array} values  modality value of each level (after the Modality LUT); for pictures the grey level
 * @property {Uint8Array} padding  1 for levels that are padding, which is always black
 * @property {boolean} inverse  whether low values are white
 * @property {StatedWindow | null} window  null where the initial view follows a table or the data
 * @property {Spacing | null} spacing  null where lengths are in pixels
 * @property {number} aspect  height of a pixel over its width
 * @property {Orientation} orientation
 * @property {boolean} lossy  whether the pixels were compressed with loss
 */

/**
 * A heat map on a film: cells over the rectangle that the model looked at, in displayed order.
 * @typedef {object} MapLayer
 * @property {string} id
 * @property {string} name  such as "evidence · mobilenet_v2-evidence-joined 0.1"
 * @property {Float32Array} cells  row by row
 * @property {number} cell_rows
 * @property {number} cell_cols
 * @property {Box} rectangle  part of the stored grid that the cells cover
 * @property {Uint8Array | null} looked  1 for cells that took part in the score; null: all of them
 * @property {number} threshold  in the unit of the cells
 * @property {number} full_scale  value of the last colour
 * @property {string} unit
 * @property {string} method
 * @property {"inferno" | "diverging"} [colours]  inferno (the default) from 0 to full_scale; diverging from −full_scale to full_scale
 */

/**
 * A region on a film: the box of a finding, a region of the reference, the lungs, a zone, a reader's mark.
 * @typedef {object} Shape
 * @property {string} id
 * @property {"finding" | "reference" | "lungs" | "zone" | "mark"} kind
 * @property {string} label
 * @property {Box | null} box
 * @property {number[][][] | null} outline  polygons of [row, col] on the stored grid
 */

export {};
