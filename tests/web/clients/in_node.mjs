// Read radiographs with onnxruntime-web under Node.js: node in_node.mjs FOLDER NAMES, where FOLDER has model.onnx, client.json and
// one NAME.f32 for each of NAMES (JSON). Prints the readings as JSON, by name.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as ort from "onnxruntime-web/wasm";
import { read } from "./reading.mjs";

const [folder, names] = process.argv.slice(2);
const card = JSON.parse(await readFile(join(folder, "client.json"), "utf8"));
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(await readFile(join(folder, card.file)), { executionProviders: ["wasm"] });
const readings = {};
for (const name of JSON.parse(names)) {
  const bytes = await readFile(join(folder, `${name}.f32`));
  const pixels = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  readings[name] = await read(ort, session, card, pixels, card.settings.at(-1).name);
}
console.log(JSON.stringify(readings));
