// What the named actions of the keyboard, of buttons and of menus do to a viewport.

/** @import {Action} from "./keys.js" */
/** @import {PxViewport} from "./px-viewport.js" */
import { PRESETS } from "../film/grey.js";
import { thresholdOf } from "./picture.js";

const ZOOM = 1.25;
const STEP = 40; // CSS pixels
const WINDOW_STEP = 20; // CSS pixels of a drag
const OPACITY_STEP = 0.1;
const THRESHOLD_STEPS = 50; // of the full scale

/** @type {Record<Action, (viewport: PxViewport) => void>} */
export const ACTIONS = {
  fit: (viewport) => viewport.fit(),
  actual_size: (viewport) => viewport.actualSize(),
  zoom_in: (viewport) => viewport.zoomAt(ZOOM),
  zoom_out: (viewport) => viewport.zoomAt(1 / ZOOM),
  left: (viewport) => viewport.step(-STEP, 0),
  right: (viewport) => viewport.step(STEP, 0),
  up: (viewport) => viewport.step(0, -STEP),
  down: (viewport) => viewport.step(0, STEP),
  brighter: (viewport) => viewport.dragWindow(0, -WINDOW_STEP),
  darker: (viewport) => viewport.dragWindow(0, WINDOW_STEP),
  more_contrast: (viewport) => viewport.dragWindow(-WINDOW_STEP, 0),
  less_contrast: (viewport) => viewport.dragWindow(WINDOW_STEP, 0),
  auto_window: (viewport) => viewport.autoWindow(),
  next_preset: (viewport) => viewport.preset(PRESETS[(PRESETS.indexOf(viewport.lastPreset) + 1) % PRESETS.length]),
  invert: (viewport) => viewport.invert(),
  flip: (viewport) => viewport.flip(),
  rotate: (viewport) => viewport.rotate(1),
  rotate_back: (viewport) => viewport.rotate(-1),
  reset: (viewport) => viewport.reset(),
  smooth_film: (viewport) => (viewport.smooth = !viewport.smooth),
  tool_window: (viewport) => (viewport.tool = "window"),
  tool_pan: (viewport) => (viewport.tool = "pan"),
  tool_ruler: (viewport) => (viewport.tool = "ruler"),
  tool_angle: (viewport) => (viewport.tool = "angle"),
  tool_loupe: (viewport) => (viewport.tool = "loupe"),
  tool_point: (viewport) => (viewport.tool = "point"),
  place_point: (viewport) => viewport.placeAtCrosshair(),
  cancel: (viewport) => viewport.cancel(),
  undo_measurement: (viewport) => viewport.undoMeasurement(),
  map_toggle: (viewport) => viewport.changeMap({ visible: !viewport.mapState.visible }),
  map_hide: (viewport) => viewport.holdMap(true),
  map_show: (viewport) => viewport.holdMap(false),
  map_more: (viewport) => changeOpacity(viewport, OPACITY_STEP),
  map_less: (viewport) => changeOpacity(viewport, -OPACITY_STEP),
  map_smooth: (viewport) => viewport.changeMap({ smooth: !viewport.mapState.smooth }),
  map_contours: (viewport) => viewport.changeMap({ contours: !viewport.mapState.contours }),
  map_whole: (viewport) => viewport.changeMap({ whole: !viewport.mapState.whole }),
  threshold_up: (viewport) => changeThreshold(viewport, 1),
  threshold_down: (viewport) => changeThreshold(viewport, -1),
  next_shape: (viewport) => viewport.selectNext(1),
  previous_shape: (viewport) => viewport.selectNext(-1),
};

/**
 * @param {PxViewport} viewport
 * @param {number} change
 */
function changeOpacity(viewport, change) {
  const opacity = Math.round((viewport.mapState.opacity + change) * 100) / 100;
  viewport.changeMap({ opacity: Math.min(Math.max(opacity, 0), 1) });
}

/**
 * @param {PxViewport} viewport
 * @param {1 | -1} direction
 */
function changeThreshold(viewport, direction) {
  const layer = viewport.layers[0];
  if (!layer) return;
  const threshold = thresholdOf(layer, viewport.mapState) + (direction * layer.full_scale) / THRESHOLD_STEPS;
  viewport.changeMap({ threshold: Math.min(Math.max(threshold, 0), layer.full_scale) });
}
