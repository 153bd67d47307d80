// Put viewports on the page and fill them with films of /files/. Events are collected in window.events.

import { DEFAULT_KEYS } from "/static/viewport/keys.js";
import "/static/viewport/px-viewport.js";
import { screenTarget, snappedToScreen } from "/static/viewport/target.js";

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
  document.querySelector("px-viewport")?.remove();
  document.querySelector("main").append(viewport);
  window.viewport = viewport;
  window.events.length = 0;
  for (const kind of EVENTS) viewport.addEventListener(kind, (event) => window.events.push([kind, event.detail]));
  viewport.film = await film(name);
  viewport.layers = layers.map(layer);
  viewport.shapes = shapes;
  await viewport.drawn();
  return viewport.renderer;
};

window.screen_target = () => {
  const { film, view, size, ratio, smooth } = window.viewport;
  return screenTarget(snappedToScreen(film, view, size, ratio), size, ratio, smooth);
};

/** What is drawn on the screen now, without lines and letters. */
async function on_screen() {
  await window.viewport.drawn();
  const source = window.viewport.shadowRoot.querySelector("canvas.film");
  const { width, height } = source;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(source, 0, 0);
  return { width, height, pixels: context.getImageData(0, 0, width, height).data };
}

window.read_pixels = async ({ screen = false, ...options } = {}) => {
  const { width, height, pixels } = screen ? await on_screen() : window.viewport.readPixels(options);
  let text = "";
  for (let at = 0; at < pixels.length; at += 0x8000) text += String.fromCharCode(...pixels.subarray(at, at + 0x8000));
  return { width, height, base64: btoa(text) };
};

document.documentElement.dataset.ready = "yes";
