// The range of grey levels that the bulk of a radiograph spans, and the rule where it contradicts a stated grey scale: the same
// arithmetic as pneumoscope.radiograph.grey_range, in double precision.

/** @typedef {"header" | "range" | "bulk"} GreySource  what the grey scale spans */
/** @typedef {{shown: Float64Array, source: GreySource}} Scaled */

const BULK = [0.005, 0.995];
const LEAST_SPREAD = 1 / 8;
const FENCE = 1 / 4;
const WIDEST_RANGE = 2;

/**
 * Keep a stated grey scale unless the data contradict it.
 * @param {Float64Array} shown  display values in [0, 1] by the stated scale, one for each level
 * @param {Float64Array} values  the values themselves
 * @param {Float64Array} counts  how many pixels have each value; 0 for padding
 * @returns {Scaled}
 */
export function statedOrBulk(shown, values, counts) {
  const [low, high] = bulk(shown, counts);
  if (!(high - low < LEAST_SPREAD)) return { shown, source: "header" };
  if (high > low) return { shown: spread(shown, ...withoutExtremes(shown, counts)), source: "bulk" };
  const [lowest, highest] = withoutExtremes(values, counts);
  return highest > lowest ? { shown: spread(values, lowest, highest), source: "bulk" } : { shown, source: "header" };
}

/**
 * Spread values for which no grey scale is stated.
 * @param {Float64Array} values
 * @param {Float64Array} counts
 * @returns {Scaled}
 */
export function rangeOrBulk(values, counts) {
  const [lowest, highest] = rangeWithin(values, counts, -Infinity, Infinity);
  const [low, high] = bulk(values, counts);
  if (highest - lowest > WIDEST_RANGE * (high - low) && WIDEST_RANGE * (high - low) > 0) {
    return { shown: spread(values, ...withoutExtremes(values, counts)), source: "bulk" };
  }
  return { shown: spread(values, lowest, highest), source: "range" };
}

/**
 * Find the range of values that are no extremes.
 * @param {Float64Array} values
 * @param {Float64Array} counts
 * @returns {[number, number]}
 */
function withoutExtremes(values, counts) {
  const [low, high] = bulk(values, counts);
  const beyond = FENCE * (high - low);
  return rangeWithin(values, counts, low - beyond, high + beyond);
}

/**
 * Find the lowest and the highest value that occurs within two bounds.
 * @param {Float64Array} values
 * @param {Float64Array} counts
 * @param {number} from
 * @param {number} to
 * @returns {[number, number]}
 */
function rangeWithin(values, counts, from, to) {
  let low = Infinity;
  let high = -Infinity;
  for (let k = 0; k < values.length; k++) {
    if (counts[k] > 0 && values[k] >= from && values[k] <= to) {
      low = Math.min(low, values[k]);
      high = Math.max(high, values[k]);
    }
  }
  return [low, high];
}

/**
 * Find the 0.5 and 99.5 percentiles, as values that occur.
 * @param {Float64Array} values  in any order
 * @param {Float64Array} counts
 * @returns {[number, number]}
 */
function bulk(values, counts) {
  const order = Array.from(values.keys()).sort((a, b) => ascending(values[a], values[b]) || a - b);
  const total = counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  const share = Float64Array.from(order, (k) => (below += counts[k]) / total);
  const [low, high] = BULK.map((q) => Math.min(firstAtLeast(share, q), order.length - 1));
  return [values[order[low]], values[order[high]]];
}

/**
 * Compare two numbers; NaN comes last.
 * @param {number} a
 * @param {number} b
 * @returns {number}
 */
function ascending(a, b) {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : Number(a > b);
}

/**
 * Find the first of ascending numbers that is at least a bound; their number if none is.
 * @param {Float64Array} numbers
 * @param {number} bound
 * @returns {number}
 */
export function firstAtLeast(numbers, bound) {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Spread values linearly so that `low` is black and `high` is white.
 * @param {Float64Array} values
 * @param {number} low
 * @param {number} high
 * @returns {Float64Array}
 */
function spread(values, low, high) {
  const width = Math.max(high - low, 1e-9);
  return values.map((value) => Math.min(Math.max((value - low) / width, 0), 1));
}
