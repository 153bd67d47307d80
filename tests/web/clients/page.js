// Offer window.readAll, which reads radiographs of /files/ with onnxruntime-web.

import * as ort from "/ort/ort.wasm.min.mjs";
import { read } from "./reading.mjs";

window.readAll = async (names) => {
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = 1;
  const card = await (await fetch("/files/client.json")).json();
  const session = await ort.InferenceSession.create(`/files/${card.file}`, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  const readings = {};
  for (const name of names) {
    const pixels = new Float32Array(await (await fetch(`/files/${name}.f32`)).arrayBuffer());
    readings[name] = await read(ort, session, card, pixels, card.settings.at(-1).name);
  }
  return readings;
};
document.documentElement.dataset.ready = "yes";
