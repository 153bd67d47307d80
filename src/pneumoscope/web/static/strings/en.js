// Every text that a user sees, in English. Each part of the front end has a section.

export const strings = {
  viewport: {},
  viewer: {},
  phone: {},
  study: {},
};
