/** The models that the server reads with, and which one the page asks. */

/** @import {Api} from "./api.js" */
/** @import {ModelInfo} from "./types.js" */

const HASH_LENGTH = 8;

/**
 * Give the version of a model: the beginning of the hash of its graph and of what decides an answer in its card.
 *
 * @param {ModelInfo} model
 * @returns {string}
 */
export function versionOf(model) {
  return model.sha256.slice(0, HASH_LENGTH);
}

/** The models, their cards, and the choice of a model and of a method of heat maps. */
export class Models {
  /** @param {Api} api */
  constructor(api) {
    this.api = api;
    /** @type {ModelInfo[]} */
    this.items = [];
    this.chosen = "";
    /** @type {Map<string, any>} */
    this.cards = new Map();
    /** @type {Map<string, string>} */
    this.methods = new Map();
  }

  async load() {
    const { default: first, items } = await this.api.models();
    this.items = items;
    if (!items.some((model) => model.id === this.chosen)) this.chosen = first;
  }

  /** @returns {ModelInfo}   the chosen one */
  get model() {
    return this.byId(this.chosen);
  }

  /** @param {string} id @returns {ModelInfo} */
  byId(id) {
    const model = this.items.find((each) => each.id === id);
    if (model === undefined) throw new RangeError(`no model ${id}`);
    return model;
  }

  /** @param {string} model @returns {string}   the method that the model's map is shown by */
  method(model) {
    return this.methods.get(model) ?? this.byId(model).default_method;
  }

  /**
   * Fetch a model's card once.
   *
   * @param {string} model
   * @returns {Promise<any>}   null where it could not be fetched
   */
  async card(model) {
    if (!this.cards.has(model)) this.cards.set(model, await this.api.card(model).catch(() => null));
    return this.cards.get(model);
  }

  /**
   * List every map that a film can have, except one.
   *
   * @param {{model: string, method: string}} shown
   * @returns {{model: string, method: string}[]}
   */
  others(shown) {
    return this.items
      .flatMap((model) => model.methods.map((method) => ({ model: model.id, method })))
      .filter((each) => each.model !== shown.model || each.method !== shown.method);
  }
}
