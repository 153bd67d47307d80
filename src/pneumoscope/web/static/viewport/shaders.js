// The shaders of the WebGL2 renderer. canvas2d.js has the same arithmetic.

export const VERTEX = `#version 300 es
void main() { // one triangle that covers the target
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}`;

const HEAD = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp usampler2D;
uniform vec4 linear;      // film column = x * linear.x + y * linear.z + origin.x; row = x * linear.y + y * linear.w + origin.y
uniform vec2 origin;
uniform ivec2 film;       // columns, rows
uniform float height;     // of the target
vec2 pixel() { return vec2(gl_FragCoord.x, height - gl_FragCoord.y); }
vec2 onFilm(vec2 at) { return at.x * linear.xy + at.y * linear.zw + origin; }
bool outside(vec2 at) { return any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, vec2(film))); }
`;

/** The greys of a target: each pixel is the mean over its area on the film; black outside of the film. */
export const GREY = `${HEAD}
uniform usampler2D levels;
uniform sampler2D table;  // 256 entries a row
uniform bool smoothing;
out vec4 grey;
float greyAt(int col, int row) {
  uint level = texelFetch(levels, ivec2(col, row), 0).r;
  return texelFetch(table, ivec2(level & 255u, level >> 8u), 0).r;
}
void main() {
  vec2 at = onFilm(pixel());
  grey = vec4(0.0, 0.0, 0.0, 1.0);
  if (outside(at)) return;
  vec2 extent = abs(linear.xy) + abs(linear.zw);
  if (smoothing) extent = max(extent, vec2(1.0));
  vec2 low = max(at - extent / 2.0, vec2(0.0)), high = min(at + extent / 2.0, vec2(film));
  ivec2 first = ivec2(floor(low)), last = min(ivec2(ceil(high)), film) - 1;
  float sum = 0.0, weights = 0.0;
  for (int row = first.y; row <= last.y; row++) {
    float down = min(high.y, float(row + 1)) - max(low.y, float(row));
    for (int col = first.x; col <= last.x; col++) {
      float weight = down * (min(high.x, float(col + 1)) - max(low.x, float(col)));
      sum += weight * greyAt(col, row);
      weights += weight;
    }
  }
  grey.r = weights > 0.0 ? sum / weights : 0.0;
}`;

/** Copy the greys to a target. */
export const COPY = `#version 300 es
precision highp float;
uniform highp sampler2D greys;
out vec4 colour;
void main() { colour = vec4(vec3(texelFetch(greys, ivec2(gl_FragCoord.xy), 0).r), 1.0); }`;

/** A heat map with premultiplied opacity. */
export const LAYER = `${HEAD}
uniform sampler2D cells;   // value, lowest strength around, steepest difference around
uniform usampler2D looked;
uniform sampler2D palette;
uniform ivec2 grid;       // columns and rows of the cells
uniform vec4 rectangle;   // left, top, right, bottom
uniform bvec3 turn;       // transposed, flip_cols, flip_rows
uniform float threshold, fullScale, opacity;
uniform bool smoothing, whole, contours, unseen, diverging;
uniform int reach, hatch;
uniform float reachInCells;
uniform vec4 hatching;
out vec4 colour;
vec2 onSquare(vec2 at) {
  vec2 share = (at - rectangle.xy) / (rectangle.zw - rectangle.xy);
  if (turn.x) share = share.yx;
  return vec2(turn.y ? 1.0 - share.x : share.x, turn.z ? 1.0 - share.y : share.y);
}
bool covered(vec2 at) { return all(greaterThanEqual(at, rectangle.xy)) && all(lessThan(at, rectangle.zw)); }
ivec2 cellAt(vec2 share) { return clamp(ivec2(floor(share * vec2(grid))), ivec2(0), grid - 1); }
float cell(int x, int y) { return texelFetch(cells, ivec2(x, y), 0).r; }
float valueAt(vec2 share) {
  ivec2 nearest = cellAt(share);
  if (!smoothing) return cell(nearest.x, nearest.y);
  vec2 at = clamp(share * vec2(grid) - 0.5, vec2(0.0), vec2(grid - 1));
  ivec2 a = ivec2(floor(at)), b = min(a + 1, grid - 1);
  vec2 part = at - vec2(a);
  return mix(mix(cell(a.x, a.y), cell(b.x, a.y), part.x), mix(cell(a.x, b.y), cell(b.x, b.y), part.x), part.y);
}
float strength(float value) { return diverging ? abs(value) : value; }
bool inside(vec2 at) {
  if (outside(at)) return true;
  if (!covered(at)) return 0.0 >= threshold;
  return strength(valueAt(onSquare(at))) >= threshold;
}
bool onBorder(vec2 here, float value, vec4 cell) {
  if (reachInCells <= 0.5) { // quickly no
    if (cell.g >= threshold) return false;
    if (smoothing && strength(value) - threshold > 1.01 * reachInCells * cell.b) return false;
  }
  for (int dy = -reach; dy <= reach; dy++) {
    int width = reach - abs(dy);
    for (int dx = -width; dx <= width; dx++) if (!inside(onFilm(here + vec2(dx, dy)))) return true;
  }
  return false;
}
void main() {
  vec2 here = pixel(), at = onFilm(here);
  colour = vec4(0.0);
  if (outside(at)) return;
  vec2 share = onSquare(at);
  ivec2 nearest = cellAt(share);
  if (!covered(at) || texelFetch(looked, nearest, 0).r == 0u) {
    bool line = (int(here.x) + int(here.y)) % hatch < max(1, reach / 2);
    if (unseen && line) colour = vec4(hatching.rgb * hatching.a, hatching.a);
    return;
  }
  float value = valueAt(share);
  bool above = strength(value) >= threshold;
  if (contours && above && onBorder(here, value, texelFetch(cells, nearest, 0))) { colour = vec4(1.0); return; }
  if (!above && !whole) return;
  float place = diverging ? (value / fullScale + 1.0) / 2.0 : value / fullScale;
  int index = int(floor(clamp(place, 0.0, 1.0) * 255.0 + 0.5));
  colour = vec4(texelFetch(palette, ivec2(index, 0), 0).rgb * opacity, opacity);
}`;
