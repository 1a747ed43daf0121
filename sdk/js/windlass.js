/**
 * Windlass for hooks in JavaScript. A script in a site's `hooks/` has all of this without an import:
 *
 *     // /// windlass
 *     // api = "0.1"
 *     // summary = "Takes a node out of the load balancer"
 *     //
 *     // [[needs]]
 *     // reason = "Drain the node that is restarted"
 *     // commands = ["drain@lb1"]
 *     // ///
 *     if (event.code === "before-step") {
 *       node("lb1").run("drain", { node: event.node });
 *     }
 *
 * Whatever the host denies, or cannot do, is thrown as a `Fault`. A script that throws what it does not catch fails,
 * and the message says where; `veto` refuses what is about to happen.
 */

/** Why something did not happen. `code` is an open set. */
export class Fault extends Error {
  constructor(code, message, hint = "") {
    super(message);
    this.name = "Fault";
    this.code = code;
    this.hint = hint;
  }
}

/** The site's grants do not allow it, or the hook's needs do not ask for it; `hint` says what would. */
export class Denied extends Fault {
  constructor(code, message, hint) {
    super(code, message, hint);
    this.name = "Denied";
  }
}

/** A command ran, and its declared success was not met. */
export class CommandFailed extends Fault {
  constructor(node, command, outcome) {
    super("failed", `${command} on ${node} failed: ${outcome.reason}`);
    this.name = "CommandFailed";
    this.node = node;
    this.command = command;
    this.outcome = outcome;
  }
}

/** A secret of the run, by its name. Nobody can read it. */
export class Secret {
  constructor(name) {
    this.name = name;
  }
}

/** Not an `Error`, so that a script that looks at what it caught does not take it for a failure. */
class Veto {
  constructor(reason) {
    this.reason = reason;
  }
}

const utf8 = (text) => {
  const bytes = [];
  for (const character of text) {
    const point = character.codePointAt(0);
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else
      bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
  }
  return new Uint8Array(bytes);
};

/** Text that can cross into the host: half a character, which strings here may hold, becomes a sign for it. */
const whole = (words) => String(words).toWellFormed();

/** The text of UTF-8 bytes, as `node(NAME).read(FILE)` returns them. */
export const text = (bytes) => {
  let escaped = "";
  for (const byte of bytes) escaped += "%" + byte.toString(16).padStart(2, "0");
  return decodeURIComponent(escaped);
};

/** What a fault of the contract looks like when it is thrown by an import. */
const faultOf = (thrown) => {
  const value = thrown !== null && typeof thrown === "object" && "payload" in thrown ? thrown.payload : thrown;
  if (value !== null && typeof value === "object" && "code" in value && "message" in value && "hint" in value) {
    const kind = value.code === "denied" || value.code === "not-asked" ? Denied : Fault;
    return new kind(value.code, value.message, value.hint);
  }
  return thrown;
};

/** The functions of one interface, their faults thrown as `Fault`; none: the hook was built without it. */
const wrapped = (name, functions) =>
  new Proxy(functions ?? {}, {
    get(target, key) {
      if (functions === undefined) {
        throw new Denied(
          "not-asked",
          `this hook was built without ${name}`,
          "put what it needs into its manifest, and build it again",
        );
      }
      const found = target[key];
      if (typeof found !== "function") return found;
      return (...given) => {
        try {
          return found(...given.map((each) => (typeof each === "string" ? whole(each) : each)));
        } catch (thrown) {
          throw faultOf(thrown);
        }
      };
    },
  });

/**
 * Makes the whole of it from the imports of a world, by name: `bind({ nodes, files, … })`. Returns what a script has
 * as globals, and `answered`, which runs a hook for an event of the contract.
 */
export const bind = (imports) => {
  const [nodes, files, cluster, crypto, keyring, secrets, operator, kept, clock] = [
    "nodes", "files", "cluster", "crypto", "keyring", "secrets", "operator", "state", "clock",
  ].map((name) => wrapped(name, imports[name]));

  const valueOf = (given) => {
    if (given instanceof Secret) return { tag: "secret", val: given.name };
    if (typeof given === "string" || typeof given === "number") return { tag: "text", val: whole(given) };
    throw new TypeError(`an argument of a command is text, a number or a secret, not ${String(given)}`);
  };
  const argumentsOf = (given = {}) =>
    Object.entries(given).map(([name, value]) => ({ name: name.replaceAll("_", "-"), value: valueOf(value) }));
  const contentOf = (given) => {
    if (given instanceof Secret) return { tag: "secret", val: given.name };
    if (typeof given === "string") return { tag: "bytes", val: utf8(given) };
    if (given instanceof Uint8Array) return { tag: "bytes", val: given };
    if (given !== null && typeof given === "object" && "tag" in given) return given;
    throw new TypeError(`what is written is text, a Uint8Array, a secret, a certificate or a file, not ${String(given)}`);
  };

  class Node {
    constructor(name) {
      if (typeof name !== "string") throw new TypeError(`a node is named by its name, not by ${String(name)}`);
      this.name = name;
    }
    run(command, given) {
      const outcome = this.tryRun(command, given);
      if (!outcome.succeeded) throw new CommandFailed(this.name, command, outcome);
      return outcome;
    }
    tryRun(command, given) {
      return nodes.run(this.name, command, argumentsOf(given));
    }
    clockOffset() {
      return Number(nodes.clockOffset(this.name));
    }
    stat(file) {
      return files.stat(this.name, file) ?? null;
    }
    fingerprint(file) {
      return files.fingerprint(this.name, file) ?? null;
    }
    read(file) {
      return files.read(this.name, file);
    }
    space(file) {
      return Number(files.space(this.name, file));
    }
    file(file) {
      return { tag: "file", val: { node: this.name, file } };
    }
    put(file, content) {
      files.put(this.name, file, contentOf(content));
    }
    stage(set, file, content) {
      files.stage(set, this.name, file, contentOf(content));
    }
    swap(set) {
      files.swap(set, this.name);
    }
    discard(set) {
      files.discard(set, this.name);
    }
    remove(file) {
      files.remove(this.name, file);
    }
    restore(name) {
      files.restore(this.name, name);
    }
    served(endpoint) {
      return cluster.served(this.name, endpoint);
    }
  }

  let warnings = [];
  const globals = {
    Fault, Denied, CommandFailed, Secret, text,
    nodes, files, cluster, crypto, keyring, secrets, operator,
    node: (name) => new Node(name),
    members: () => nodes.members(),
    runEach: (names, command, given) =>
      nodes
        .runEach(names.map((each) => (typeof each === "string" ? each : each.name)), command, argumentsOf(given))
        .map((each) => ({
          node: each.node,
          ...(each.outcome.tag === "ok" ? { outcome: each.outcome.val } : { fault: faultOf(each.outcome.val) }),
        })),
    health: () => cluster.health(),
    manager: () => cluster.manager(),
    parameter: (name) => operator.parameter(name) ?? null,
    confirm: (question, impact) => operator.confirm(question, impact),
    acknowledge: (question, impact) => operator.acknowledge(question, impact),
    note: (words) => operator.note(String(words)),
    progress: (done, total, words = "") => operator.progress(done, total, words),
    secret: (name) => new Secret(name),
    certificate: (name) => ({ tag: "certificate", val: name }),
    key: (name, passphrase) => ({ tag: "key", val: { key: name, passphrase } }),
    state: { get: (name) => kept.get(name) ?? null, set: (name, value) => kept.set(name, String(value)) },
    sleep: (milliseconds) => clock.sleep(Math.ceil(milliseconds)),
    now: () => Number(clock.now()),
    veto: (reason) => {
      throw new Veto(whole(reason));
    },
    warn: (words) => {
      warnings.push(whole(words));
    },
  };

  const eventOf = (given) => {
    const named = (entries) => Object.fromEntries(entries.map(({ name, value }) => [name, value]));
    const [details, parameters] = [named(given.details), named(given.parameters)];
    const event = { code: given.code, details, parameters };
    for (const name of ["procedure", "run", "site", "first", "second", "step", "title", "node", "reason", "message"]) {
      event[name] = details[name] ?? null;
    }
    event.nodes = (details.nodes ?? "").split(" ").filter((name) => name !== "");
    event.parameter = (name, otherwise) => {
      const value = parameters[name] ?? otherwise;
      if (value !== undefined) return value;
      throw new Fault(
        "invalid",
        `the hook needs the parameter ${name}`,
        `under its [[hooks]] in site.toml: params = { ${name} = "…" }`,
      );
    };
    return event;
  };

  // The image of an engine holds one state of `Math.random` for all calls. A call's own comes from what it is about,
  // so that a call that is made again after a crash draws the same.
  const reseed = (given) => {
    let state = 0x811c9dc5;
    for (const word of [given.code, ...given.details.flatMap(({ name, value }) => [name, value])]) {
      for (const character of word) state = Math.imul(state ^ character.codePointAt(0), 0x01000193);
      state = Math.imul(state ^ 0x1f, 0x01000193);
    }
    Math.random = () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  };

  /** Runs `run(event)`, and makes the contract's answer of how it ends; what it throws is its caller's. */
  const answered = (given, run) => {
    warnings = [];
    reseed(given);
    try {
      run(eventOf(given));
    } catch (thrown) {
      if (thrown instanceof Veto) return { tag: "veto", val: thrown.reason };
      throw thrown;
    }
    return warnings.length > 0 ? { tag: "warn", val: warnings.join("; ") } : { tag: "go-on" };
  };

  /** What a compiled hook exports: `export const hookApi = hook(handle, "Title")`. */
  const hook = (handle, title) => ({
    describe: () => ({ title }),
    handle: (given) => {
      try {
        return answered(given, handle);
      } catch (thrown) {
        throw faultFrom(thrown, "");
      }
    },
  });

  return { globals, answered, hook };
};

/** The record that is thrown to the host for what a hook threw; `where`: the place in the hook, where it is known. */
export const faultFrom = (thrown, where) => {
  const at = where === "" ? "" : `, at ${where}`;
  const short = (words) => whole(words.length > 3900 ? words.slice(0, 3900) + "…" : words);
  if (thrown instanceof Fault) return { code: thrown.code, message: short(thrown.message) + at, hint: thrown.hint };
  const words = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return { code: "failed", message: short(words) + at, hint: "" };
};
