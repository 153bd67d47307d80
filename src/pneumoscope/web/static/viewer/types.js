/**
 * What the HTTP API gives, as the pages of the viewer use it.
 *
 * @typedef {"waiting"|"queued"|"reading"|"read"|"failed"} FilmState
 *
 * @typedef {object} FilmSummary   one row of the worklist
 * @property {string} id           random, never a path
 * @property {string} label        "Film 3", or the file's name where the server shows names
 * @property {number} number
 * @property {FilmState} state
 * @property {{kind: string, message: string}|null} error
 * @property {number|null} rows
 * @property {number|null} cols
 * @property {string|null} view_position
 * @property {string|null} modality
 * @property {number|null} probability
 * @property {"positive"|"negative"|null} decision
 * @property {boolean|null} abstains
 * @property {boolean|null} outside_domain
 * @property {number|null} n_findings
 * @property {boolean} has_reference
 * @property {number} replacements   how often its file was replaced since it was opened
 *
 * @typedef {object} ModelInfo
 * @property {string} id
 * @property {string} name
 * @property {string} sha256            of its graph and of what decides an answer in its card
 * @property {string} target
 * @property {string[]} methods         of heat maps
 * @property {string} default_method
 * @property {number} threshold
 * @property {("child"|"adult")[]} populations   with settings of their own
 * @property {string} intended_population
 * @property {string} limits
 *
 * @typedef {{top: number, left: number, bottom: number, right: number}} Box
 *
 * @typedef {object} ReadingFinding
 * @property {Box} box
 * @property {{row: number, col: number}} peak
 * @property {number} area_px
 * @property {number} rating
 * @property {"right"|"left"|null} laterality
 * @property {"upper"|"mid"|"lower"|null} zone
 *
 * @typedef {object} SeverityZone
 * @property {"right"|"left"} laterality
 * @property {"upper"|"mid"|"lower"} zone
 * @property {number} share_opaque
 * @property {number} density
 * @property {number|null} grade
 *
 * @typedef {object} Severity
 * @property {string} name
 * @property {number|null} score
 * @property {number|null} low
 * @property {number|null} high
 * @property {number|null} coverage
 * @property {number|null} n_patients
 * @property {string|null} reference
 * @property {string|null} reason
 * @property {SeverityZone[]} zones
 *
 * @typedef {object} Reading       one line of readings.jsonl, form 5
 * @property {string} target
 * @property {number|null} probability
 * @property {"positive"|"negative"|null} decision
 * @property {boolean|null} abstains
 * @property {{value: "child"|"adult"|null, source: "age"|"user"|"unknown", settings: "child"|"adult", cautious: boolean}|null} population
 * @property {{threshold: number, rule: string}|null} operating_point
 * @property {{inside: boolean, distance: number, limit: number, reason: string|null}|null} domain
 * @property {string[]} cautions
 * @property {ReadingFinding[]} findings
 * @property {Severity|null} severity
 * @property {{state: "found"|"partly found"|"not found", quality: number, area_share: number, box: Box}|null} lung_fields
 * @property {{target: string, method: string, scale: number, threshold: number|null}|null} map
 * @property {{name: string, sha256: string}} model
 * @property {{kind: string, message: string}|null} error
 *
 * @typedef {object} Job
 * @property {string} id
 * @property {string} state
 * @property {number} total
 * @property {number} done
 * @property {number} failed
 *
 * @typedef {object} FilmQuery
 * @property {string} q
 * @property {string} state      "" for every state
 * @property {string} decision   "" for every decision
 * @property {string} sort
 * @property {"asc"|"desc"} order
 * @property {string} model      whose readings the list shows; "" for the default
 */

export {};
