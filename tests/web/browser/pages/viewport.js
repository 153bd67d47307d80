// Put viewports on the page and fill them with films of /files/. Events are collected in window.events.

import { DEFAULT_KEYS } from "/static/viewport/keys.js";
import "/static/viewport/px-viewport.js";

const EVENTS = ["viewchange", "windowchange", "mapchange", "measure", "select", "point", "probe", "message"];

async function film(name) {
  const facts = await (await fetch(`/files/${name}`)).json();
  const bytes = async (key) => (await fetch(`/files/${name.replace(".json", `.${key}`)}`)).arrayBuffer();
  return {
    ...facts,
    levels: new Uint16Array(await bytes("levels")),
    shown: new Float32Array(await bytes("shown")),
    values: new Float32Array(await bytes("values")),
    padding: new Uint8Array(await bytes("padding")),
  };
}

function layer(written) {
  return { ...written, cells: new Float32Array(written.cells), looked: written.looked && new Uint8Array(written.looked) };
}

window.keys = DEFAULT_KEYS;
window.events = [];

window.open_viewport = async (name, { renderer = "webgl2", layers = [], shapes = [] } = {}) => {
  const viewport = document.createElement("px-viewport");
  viewport.setAttribute("renderer", renderer);
  document.querySelector("main").replaceChildren(viewport);
  window.viewport = viewport;
  window.events.length = 0;
  for (const kind of EVENTS) viewport.addEventListener(kind, (event) => window.events.push([kind, event.detail]));
  viewport.film = await film(name);
  viewport.layers = layers.map(layer);
  viewport.shapes = shapes;
  await viewport.drawn();
  return viewport.renderer;
};

window.read_pixels = (options) => {
  const { width, height, pixels } = window.viewport.readPixels(options);
  let text = "";
  for (let at = 0; at < pixels.length; at += 0x8000) text += String.fromCharCode(...pixels.subarray(at, at + 0x8000));
  return { width, height, base64: btoa(text) };
};

document.documentElement.dataset.ready = "yes";
