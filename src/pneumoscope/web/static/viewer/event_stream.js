/** Server-sent events read with fetch: EventSource cannot send the header that holds the token. */

import { ApiError } from "./api.js";

/** @import {Api} from "./api.js" */
/** @typedef {{type: string, data: any}} ServerEvent */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

/**
 * Split a growing text into events.
 *
 * @returns {(text: string) => ServerEvent[]}   takes the next piece of text, gives the events that it ends
 */
export function eventParser() {
  let rest = "";
  return (text) => {
    const whole = rest + text;
    const half = whole.endsWith("\r") ? "\r" : ""; // may be the first half of a CR LF
    const blocks = whole
      .slice(0, whole.length - half.length)
      .replace(/\r\n?/g, "\n")
      .split("\n\n");
    rest = (blocks.pop() ?? "") + half;
    return blocks.map(parseBlock).filter((event) => event !== null);
  };
}

/**
 * @param {string} block
 * @returns {ServerEvent|null}   null for a comment that keeps the connection open
 */
function parseBlock(block) {
  let type = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) type = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length === 0 ? null : { type, data: JSON.parse(data.join("\n")) };
}

/**
 * Read one stream of events to its end.
 *
 * @param {Api} api @param {string} path
 * @param {(event: ServerEvent) => void} onEvent
 * @param {AbortSignal} signal
 * @param {() => void} [onOpen]
 */
export async function readEvents(api, path, onEvent, signal, onOpen) {
  const response = await api.request(path, { signal, headers: { Accept: "text/event-stream" } });
  if (response.body === null) throw new ApiError(0, "unreachable", "");
  onOpen?.();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parse = eventParser();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    parse(value).forEach(onEvent);
  }
}

/**
 * Read events until the signal ends it; connect again, after longer and longer waits, whenever the stream breaks.
 *
 * @param {Api} api @param {string} path
 * @param {(event: ServerEvent) => void} onEvent
 * @param {(state: "open"|"lost"|"refused") => void} onState
 * @param {AbortSignal} signal
 */
export async function followEvents(api, path, onEvent, onState, signal) {
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    try {
      await readEvents(api, path, onEvent, signal, () => {
        wait = FIRST_WAIT_MS;
        onState("open");
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.refused) return onState("refused");
    }
    if (signal.aborted) return;
    onState("lost");
    await pause(wait, signal);
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  }
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
