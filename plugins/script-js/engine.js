// The engine of JavaScript scripts: runs a site's script as a hook. Built by componentize-qjs for the world `script`.

import * as nodes from "windlass:plugin/nodes@0.1.1";
import * as files from "windlass:plugin/files@0.1.1";
import * as cluster from "windlass:plugin/cluster@0.1.1";
import * as crypto from "windlass:plugin/crypto@0.1.1";
import * as keyring from "windlass:plugin/keyring@0.1.1";
import * as secrets from "windlass:plugin/secrets@0.1.1";
import * as operator from "windlass:plugin/operator@0.1.1";
import * as state from "windlass:plugin/state@0.1.1";
import * as clock from "windlass:plugin/clock@0.1.1";
import { bind, faultFrom } from "../../sdk/js/windlass.js";
import { MARK } from "./mark.js";

const { globals, answered } = bind({ nodes, files, cluster, crypto, keyring, secrets, operator, state, clock });

/** Lines that `Function` puts before the first of a script. */
const BEFORE = 2;

/** The innermost line of the script in the stack of what it threw. */
const placeOf = (thrown, file) => {
  const stack = thrown instanceof Error ? String(thrown.stack) : "";
  const found = /(?:at (\S+) \()?<input>:(\d+)/.exec(stack);
  if (found === null) return "";
  const [, name, line] = found;
  const within = name === undefined || name === "anonymous" ? "" : ` in ${name}`;
  return `${file}:${Number(line) - BEFORE}${within}`;
};

export const scriptApi = {
  handle(script, given) {
    const names = Object.keys(globals);
    try {
      return answered(given, (event) => {
        const run = new Function(...names, "event", `"use strict";${script.text}\n`);
        run(...names.map((name) => globals[name]), event);
      });
    } catch (thrown) {
      throw faultFrom(thrown, placeOf(thrown, script.name));
    }
  },
};

/** The lines that were noted: its keys. */
const ran = { __proto__: null };

export const lines = {
  watch() {
    const value = (line) => {
      ran[line] = true;
    };
    // Nothing can be put in its place.
    Object.defineProperty(globalThis, MARK, { value });
  },
  seen() {
    // With nothing that a script could have changed.
    const lines = [];
    for (const line in ran) lines[lines.length] = +line;
    return lines;
  },
};
