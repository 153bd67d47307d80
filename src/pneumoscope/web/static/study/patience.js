// Requests that only read: asked again until they are answered, as long as the failure is one that passes.

import { ApiError } from "./api.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

/**
 * Ask until there is an answer.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {(waiting: boolean) => void} onWait  told when the first failure comes, and when the answer has come
 * @returns {Promise<T>}
 */
export async function patiently(ask, onWait) {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      const answer = await ask();
      onWait(false);
      return answer;
    } catch (error) {
      if (!(error instanceof ApiError && error.passing)) throw error;
      onWait(true);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}
