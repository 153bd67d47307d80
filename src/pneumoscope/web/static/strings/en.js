/** Every text that a user sees, in English: one file for each part of the front end. */

import { phone } from "./phone.js";
import { study } from "./study.js";
import { viewer } from "./viewer.js";
import { viewport } from "./viewport.js";

export const strings = { viewport, viewer, phone, study };
