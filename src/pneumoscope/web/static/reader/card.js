// The card that the application ships with its graph (client.json): what turns outputs into a reading.

/** @typedef {"child" | "adult"} Population */
/**
 * @typedef {object} Settings  one column of the graph's answers
 * @property {string} name  child, adult, unknown or all
 * @property {number} threshold
 * @property {string} rule
 * @property {[number, number] | null} grey_zone
 * @property {number | null} domain_limit
 * @property {number} finding_threshold
 */
/**
 * @typedef {object} Card
 * @property {number} format
 * @property {string} name
 * @property {string} target
 * @property {string} limits
 * @property {string} intended_population
 * @property {string} file
 * @property {string} sha256
 * @property {"fp32" | "fp16"} precision
 * @property {boolean} prepared  whether the graph was optimised when it was exported
 * @property {{name: string, size_px: number}} input
 * @property {string[]} outputs
 * @property {{output: string, index: number, method: string, covers: "lungs" | "whole", pooled: "lungs" | "whole", scale: number, size_px: number}} map
 * @property {Settings[]} settings
 * @property {{name: string, sha256: string}} model
 * @property {Population[]} populations
 * @property {Population | null} cautious_population
 * @property {import("./severity.js").SeverityScale | null} severity
 * @property {string} version  of the package
 * @property {string} disclaimer
 */

export {};
