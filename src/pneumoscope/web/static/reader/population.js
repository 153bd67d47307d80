// Choose the population that a radiograph is read as: pneumoscope.classifier.population_settings.choose_population.

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./card.js").Population} Population */
/** @typedef {{value: Population | null, source: "age" | "user" | "unknown", settings: Population}} PopulationChoice */

const ADULT_YEARS = 18;
const ONE = { child: "a child", adult: "an adult" };

/** The stated population contradicts the age in the file; `kind` is the name of the Python class. */
export class PopulationError extends Error {
  kind = "PopulationError";
}

/**
 * Choose by the patient's age, else as stated, else the cautious settings; null for a model with the same settings for all.
 * @param {Card} card
 * @param {number | null} ageYears
 * @param {Population | null} stated
 * @returns {PopulationChoice | null}
 */
export function choosePopulation(card, ageYears, stated) {
  if (!card.cautious_population) return null;
  const byAge = ageYears === null ? null : ageYears >= ADULT_YEARS ? "adult" : "child";
  if (byAge && stated && byAge !== stated) {
    throw new PopulationError(
      `the file's Patient's Age (0010,1010) is that of ${ONE[byAge]}, but the radiograph was to be read as that of ` +
        `${ONE[stated]}; leave the population out for this file, or correct its age`,
    );
  }
  const value = byAge ?? stated;
  if (value && !card.populations.includes(value)) throw new PopulationError(`the model has no settings for ${ONE[value]}`);
  if (!value) return { value: null, source: "unknown", settings: card.cautious_population };
  return { value, source: byAge ? "age" : "user", settings: value };
}

/**
 * The column of a choice in the answers of the graph.
 * @param {Card} card
 * @param {PopulationChoice | null} choice
 * @returns {number}
 */
export function columnOf(card, choice) {
  return card.settings.findIndex(({ name }) => name === (choice ? (choice.value ?? "unknown") : "all"));
}
