// Marks JavaScript for an audit. A component of its own (the world `marker`): a run would carry the parser along.

import { marked } from "./marks.js";

export const marks = {
  mark(text) {
    try {
      return marked(text);
    } catch (thrown) {
      throw `it cannot be marked: ${thrown.message}`;
    }
  },
};
