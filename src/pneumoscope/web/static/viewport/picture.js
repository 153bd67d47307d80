// What a renderer draws: the film with a table of greys, heat maps over it, and where a target's pixels lie on the film.

/** @import {Film, MapLayer} from "../film/film.js" */
/** @import {Affine} from "./view.js" */

/**
 * How heat maps are shown.
 * @typedef {object} MapState
 * @property {boolean} visible
 * @property {number} opacity  in [0, 1], the same for all values
 * @property {boolean} smooth  linear between cells; else the cells as they are
 * @property {number | null} threshold  in the unit of the cells; null: that of the layer
 * @property {boolean} whole  colour also what lies below the threshold
 * @property {boolean} contours  a white line along the border of the region at or above the threshold
 * @property {boolean} unseen  hatch what the model did not look at
 */

/** @type {Readonly<MapState>} */
export const INITIAL_MAP_STATE = Object.freeze({
  visible: true,
  opacity: 0.5,
  smooth: true,
  threshold: null,
  whole: false,
  contours: true,
  unseen: true,
});

/**
 * A film as it is drawn.
 * @typedef {object} Picture
 * @property {Film} film
 * @property {Float32Array} table  display grey of each level
 * @property {MapLayer[]} layers  empty where the maps are hidden
 * @property {MapState} map
 */

/**
 * Pixels to draw, and the map from them (pixel (x, y) has its centre at (x + ½, y + ½)) to the stored grid (x = column, y = row).
 * @typedef {object} Target
 * @property {number} width
 * @property {number} height
 * @property {Affine} toFilm
 * @property {boolean} smooth  linear between the film's pixels where they are enlarged; else sharp squares
 * @property {number} line  half the width of a contour, in pixels of the target
 * @property {number} hatch  distance between the lines of the hatching, in pixels of the target
 */

/**
 * What draws pictures: WebGL2 or a 2-D canvas.
 * @typedef {object} Renderer
 * @property {HTMLCanvasElement} canvas
 * @property {"webgl2" | "2d"} kind
 * @property {(film: Film) => boolean} accepts  whether the film is not too large
 * @property {(picture: Picture, target: Target) => void} draw  on the canvas
 * @property {(picture: Picture, target: Target) => Uint8ClampedArray<ArrayBuffer>} raster  RGBA, row by row from above
 * @property {() => void} dispose
 */

/** Red, green, blue and opacity of the hatching. */
export const HATCH = /** @type {const} */ ([150, 170, 190, 0.55]);

/**
 * The threshold that a layer is drawn with.
 * @param {MapLayer} layer
 * @param {MapState} map
 */
export function thresholdOf(layer, map) {
  return map.threshold ?? layer.threshold;
}
