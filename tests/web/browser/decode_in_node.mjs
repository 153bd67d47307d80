// Decode every file of a folder with the phone's decoder: node decode_in_node.mjs STATIC FOLDER. Prints JSON by file name, and
// writes the display greys (float32), levels (uint16), values (float32) and padding (uint8) of each file beside it.

import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [root, folder] = process.argv.slice(2);
const { decode } = await import(pathToFileURL(join(root, "decode", "decode.js")));
const { review } = await import(pathToFileURL(join(root, "decode", "acceptance.js")));

const load = async (name) => WebAssembly.compile(await readFile(join(root, "vendor", `${name}.wasm`)));

async function write(name, kind, array) {
  await writeFile(join(folder, `${name}.${kind}`), Buffer.from(array.buffer, array.byteOffset, array.byteLength));
}

const answers = {};
for (const name of (await readdir(folder)).sort()) {
  try {
    const { film, ...facts } = await decode(new Uint8Array(await readFile(join(folder, name))), load);
    const { levels, shown, values, padding, ...described } = film;
    await write(name, "pixels", Float32Array.from(levels, (level) => shown[level]));
    await write(name, "levels", levels);
    await write(name, "shown", shown);
    await write(name, "values", values);
    await write(name, "padding", padding);
    answers[name] = { ...facts, ...described };
    answers[name].cautions = review({ film, ...facts });
  } catch (error) {
    if (!error.kind) throw error;
    answers[name] = { ...answers[name], error: { kind: error.kind, message: error.message } };
  }
}
console.log(JSON.stringify(answers));
