// The reading of one resampled radiograph by a browser's bundle, with the runtime (onnxruntime-web) given by the caller.

const STATES = ["not found", "partly found", "found"];

/** Read pixels (float32, size_px × size_px, in [0, 1]) with a session, and return the answers of one column of the settings. */
export async function read(ort, session, card, pixels, settings) {
  const edge = card.input.size_px;
  const image = new ort.Tensor("float32", pixels, [1, 1, edge, edge]);
  const outputs = await session.run({ [card.input.name]: image });
  const column = card.settings.findIndex((one) => one.name === settings);
  const at = (name) => outputs[name].data[column];
  const [negative, positive] = outputs.logits.data;
  const [, , rows, cols] = outputs[card.map.output].dims;
  const cells = outputs[card.map.output].data.slice(card.map.index * rows * cols, (card.map.index + 1) * rows * cols);
  return {
    target: card.target,
    probability: at("probability"),
    log_odds: positive - negative,
    decision: at("decision") ? "positive" : "negative",
    abstains: Boolean(at("abstains")),
    inside: Boolean(at("inside_domain")),
    distance: outputs.distance.data[0],
    state: STATES[Math.round(outputs.lungs_found.data[0])],
    quality: Math.min(...outputs.lung_quality.data),
    box: Array.from(outputs.lung_box.data),
    map: Array.from(cells),
  };
}
