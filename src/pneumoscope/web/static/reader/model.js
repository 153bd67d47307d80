// Run the graph with ONNX Runtime for WebAssembly, on one thread: no isolation of the page is needed.

import * as ort from "../vendor/ort.wasm.min.js";

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./compose.js").Outputs} Outputs */
/** @typedef {{run: (square: Float32Array) => Promise<Outputs>, release: () => Promise<void>}} Model */

/**
 * Load the graph of a card.
 * @param {Card} card
 * @param {Uint8Array} graph
 * @param {Uint8Array} runtime  the WebAssembly of ONNX Runtime
 * @param {string} glue  URL of the module that starts it
 * @returns {Promise<Model>}
 */
export async function loadModel(card, graph, runtime, glue) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = runtime;
  ort.env.wasm.wasmPaths = { mjs: glue };
  const session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  ort.env.wasm.wasmBinary = undefined; // 14 MB that nothing reads any more
  const size = card.input.size_px;
  return {
    async run(square) {
      const results = await session.run({ [card.input.name]: new ort.Tensor("float32", square, [1, 1, size, size]) });
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, Float32Array.from(tensor.data)]));
    },
    release: () => session.release(),
  };
}
