// Run the graph with ONNX Runtime for WebAssembly, on one thread: no isolation of the page is needed.

import * as ort from "../vendor/ort.wasm.min.js";

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./compose.js").Outputs} Outputs */
/** @typedef {{run: (square: Float32Array) => Promise<Outputs>, release: () => Promise<void>}} Model */

/**
 * Load the graph of a card.
 * @param {Card} card
 * @param {Uint8Array} graph
 * @param {string} runtime  URL of the WebAssembly of ONNX Runtime, which is compiled while it arrives
 * @param {string} glue  URL of the module that starts it
 * @returns {Promise<Model>}
 */
export async function loadModel(card, graph, runtime, glue) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { mjs: glue, wasm: runtime };
  const graphOptimizationLevel = card.prepared ? "disabled" : "all";
  const session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"], graphOptimizationLevel, logSeverityLevel: 3 });
  const size = card.input.size_px;
  return {
    async run(square) {
      const results = await session.run({ [card.input.name]: new ort.Tensor("float32", square, [1, 1, size, size]) });
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.data]));
    },
    release: () => session.release(),
  };
}
