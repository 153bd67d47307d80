// Mouse, pen, touch and wheel: what a pointer does to a viewport.

/** @typedef {"window" | "pan" | "ruler" | "angle" | "loupe" | "point"} Tool */

/**
 * What gestures act on; coordinates are CSS pixels from the upper left corner of the viewport.
 * @typedef {object} Hands
 * @property {Tool} tool
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, x: number, y: number) => void} zoomAt
 * @property {(dx: number, dy: number) => void} dragWindow  to the right and down
 * @property {(x: number, y: number) => boolean} grabThreshold  whether the marker of the colour bar is there
 * @property {(y: number) => void} dragThreshold
 * @property {(x: number, y: number) => void} placePoint
 * @property {() => boolean} pending  whether a point is placed already that the next one joins
 * @property {() => void} cancel  give up the measurement that this touch began
 * @property {(x: number, y: number, finger: boolean) => void} hover
 * @property {() => void} leave
 * @property {(x: number, y: number) => void} clickAt
 * @property {(x: number, y: number) => void} doubleClick
 */

/** @typedef {{x: number, y: number, type: string}} Finger */

/** @typedef {"tool" | "pan" | "window" | "threshold" | "pinch" | "undecided"} Drag */

const STILL = 4; // CSS pixels that a click may move
const STILL_FINGER = 10; // and a tap
const DECIDE = 12; // CSS pixels after which two fingers are either a pinch or a drag
const WHEEL_STEP = 0.0015;

export class Gestures {
  /** @type {Map<number, Finger>} */
  #fingers = new Map();
  /** @type {Drag} */
  #drag = "tool";
  #start = { x: 0, y: 0, distance: 0 };
  #moved = false;
  #several = false;
  #joins = false;

  /**
   * @param {HTMLElement} element
   * @param {Hands} hands
   */
  constructor(element, hands) {
    this.element = element;
    this.hands = hands;
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#up(event));
    element.addEventListener("pointercancel", (event) => this.#cancel(event));
    element.addEventListener("pointerleave", () => this.#fingers.size || hands.leave());
    element.addEventListener("dblclick", (event) => hands.doubleClick(...this.#at(event)));
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /**
   * @param {MouseEvent} event
   * @returns {[number, number]}
   */
  #at(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const [x, y] = this.#at(event);
    try {
      this.element.setPointerCapture(event.pointerId);
    } catch {
      // a pointer that is already gone
    }
    this.#fingers.set(event.pointerId, { x, y, type: event.pointerType });
    if (this.#fingers.size === 1) this.#begin(event, x, y);
    else this.#beginTwo();
  }

  /**
   * @param {PointerEvent} event
   * @param {number} x
   * @param {number} y
   */
  #begin(event, x, y) {
    this.#start = { x, y, distance: 0 };
    [this.#moved, this.#several] = [false, false];
    if (event.button === 1 || (event.button === 0 && event.altKey)) this.#drag = "pan";
    else if (event.button === 2) this.#drag = "window";
    else this.#drag = this.hands.grabThreshold(x, y) ? "threshold" : "tool";
    this.#joins = this.#places && this.hands.pending();
    if (this.#drag === "tool" && this.#places && !this.#joins) this.hands.placePoint(x, y);
    const finger = event.pointerType === "touch";
    if (this.#drag === "tool" && (finger || this.hands.tool === "loupe")) this.hands.hover(x, y, finger);
  }

  /** Whether the tool places points by dragging from one to the next. */
  get #places() {
    return this.hands.tool === "ruler" || this.hands.tool === "angle";
  }

  #beginTwo() {
    const { x, y, distance } = this.#pair();
    this.#start = { x, y, distance };
    if (this.#drag === "tool" && this.#places && !this.#joins) this.hands.cancel();
    [this.#drag, this.#several] = ["undecided", true];
    this.hands.leave();
  }

  /** The middle of two fingers and their distance. */
  #pair() {
    const [a, b] = [...this.#fingers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, distance: Math.hypot(a.x - b.x, a.y - b.y) };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const [x, y] = this.#at(event);
    const finger = this.#fingers.get(event.pointerId);
    if (!finger) {
      this.hands.hover(x, y, false);
      return;
    }
    if (this.#fingers.size === 1) this.#moveOne(finger, x, y);
    else this.#moveTwo(finger, x, y);
    [finger.x, finger.y] = [x, y];
  }

  /**
   * @param {Finger} finger  where it was
   * @param {number} x
   * @param {number} y
   */
  #moveOne(finger, x, y) {
    if (this.#several) return; // the finger that is left of two
    const [dx, dy, touch] = [x - finger.x, y - finger.y, finger.type === "touch"];
    this.#moved ||= Math.hypot(x - this.#start.x, y - this.#start.y) > (touch ? STILL_FINGER : STILL);
    if (this.#drag === "threshold") this.hands.dragThreshold(y);
    else if (!this.#moved) return;
    else if (this.#drag === "pan" || (this.#drag === "tool" && this.hands.tool === "pan")) this.hands.pan(dx, dy);
    else if (this.#drag === "window" || this.hands.tool === "window") this.hands.dragWindow(dx, dy);
    else this.hands.hover(x, y, touch);
  }

  /**
   * @param {Finger} finger
   * @param {number} x
   * @param {number} y
   */
  #moveTwo(finger, x, y) {
    const before = this.#pair();
    [finger.x, finger.y] = [x, y];
    const after = this.#pair();
    if (this.#drag === "undecided") this.#decide(after);
    if (this.#drag === "pinch") {
      this.hands.pan(after.x - before.x, after.y - before.y);
      this.hands.zoomAt(after.distance / Math.max(before.distance, 1), after.x, after.y);
    } else if (this.#drag === "window") this.hands.dragWindow(after.x - before.x, after.y - before.y);
    else if (this.#drag === "pan") this.hands.pan(after.x - before.x, after.y - before.y);
  }

  /**
   * Two fingers that keep their distance drag the window, or move the picture where one finger drags the window already.
   * @param {{x: number, y: number, distance: number}} now
   */
  #decide(now) {
    const apart = Math.abs(now.distance - this.#start.distance);
    const along = Math.hypot(now.x - this.#start.x, now.y - this.#start.y);
    if (apart > DECIDE && apart > along / 2) this.#drag = "pinch";
    else if (along > DECIDE) this.#drag = this.hands.tool === "window" ? "pan" : "window";
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const [x, y] = this.#at(event);
    const finger = this.#fingers.get(event.pointerId);
    this.#fingers.delete(event.pointerId);
    if (!finger || this.#fingers.size || this.#several) return;
    if (this.#drag === "tool") this.#release(x, y);
    if (finger.type === "touch") this.hands.leave();
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #release(x, y) {
    if (this.#places) {
      if (this.#moved || this.#joins) this.hands.placePoint(x, y);
    } else if (!this.#moved) this.hands.clickAt(x, y);
  }

  /** @param {PointerEvent} event */
  #cancel(event) {
    this.#fingers.delete(event.pointerId);
    this.hands.leave();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const speed = event.ctrlKey ? 6 : 1; // a pinch on a touchpad arrives as small steps with Control
    this.hands.zoomAt(Math.exp(-event.deltaY * lines * speed * WHEEL_STEP), ...this.#at(event));
  }
}
