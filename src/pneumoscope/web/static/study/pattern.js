// The test pattern of the display check, drawn pixel by pixel of the display: grey steps, 5 % and 95 % squares, resolution bars.

const STEPS = 18;
const WIDTH = 720;
const HEIGHT = 240;
const BAR_PIXELS = [1, 2, 4];

/**
 * Draw the test pattern.
 * @param {HTMLCanvasElement} canvas
 * @param {number} ratio  pixels of the display for each CSS pixel
 */
export function drawPattern(canvas, ratio) {
  canvas.width = Math.round(WIDTH * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  // One pixel of the canvas is one of the display, or the finest bars would be blurred.
  canvas.style.width = `${canvas.width / ratio}px`;
  canvas.style.height = `${canvas.height / ratio}px`;
  const context = canvas.getContext("2d");
  if (!context) return;
  fill(context, 128, 0, 0, canvas.width, canvas.height);
  drawSteps(context, canvas.width, Math.round(canvas.height * 0.45));
  const top = Math.round(canvas.height * 0.52);
  const edge = Math.round(canvas.height * 0.42);
  drawSquare(context, 0, 13, 0, top, edge);
  drawSquare(context, 255, 242, edge + Math.round(16 * ratio), top, edge);
  drawBars(context, 2 * edge + Math.round(32 * ratio), top, edge, canvas.width);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} grey
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
function fill(context, grey, left, top, width, height) {
  context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
  context.fillRect(left, top, width, height);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 */
function drawSteps(context, width, height) {
  for (let k = 0; k < STEPS; k += 1) {
    const left = Math.round((k * width) / STEPS);
    fill(context, Math.round((255 * k) / (STEPS - 1)), left, 0, Math.round(((k + 1) * width) / STEPS) - left, height);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} around
 * @param {number} inside
 * @param {number} left
 * @param {number} top
 * @param {number} edge
 */
function drawSquare(context, around, inside, left, top, edge) {
  fill(context, around, left, top, edge, edge);
  const gap = Math.round(edge / 3);
  fill(context, inside, left + gap, top + gap, edge - 2 * gap, edge - 2 * gap);
}

/**
 * Vertical bars above, horizontal ones below, of three widths.
 * @param {CanvasRenderingContext2D} context
 * @param {number} left
 * @param {number} top
 * @param {number} edge
 * @param {number} end
 */
function drawBars(context, left, top, edge, end) {
  const gap = Math.round(edge / 12);
  const width = Math.floor((end - left - 2 * gap) / BAR_PIXELS.length);
  const height = Math.floor((edge - gap) / 2);
  BAR_PIXELS.forEach((pixels, k) => {
    const x = left + k * (width + gap);
    fill(context, 0, x, top, width, height);
    fill(context, 0, x, top + height + gap, width, height);
    for (let at = 0; at + pixels <= width; at += 2 * pixels) fill(context, 255, x + at, top, pixels, height);
    for (let at = 0; at + pixels <= height; at += 2 * pixels) fill(context, 255, x, top + height + gap + at, width, pixels);
  });
}
