/**
 * Windlass for hooks in JavaScript: what a script has without an import. For editors:
 * `/// <reference path="…/sdk/js/windlass.d.ts" />`, or `types` of a jsconfig.json.
 */

/** Why something did not happen. */
declare class Fault extends Error {
  /** An open set: denied, not-asked, unknown, invalid, unreachable, timeout, failed, refused, declined. */
  code: string;
  /** What to do next; empty where there is nothing to say. */
  hint: string;
  constructor(code: string, message: string, hint?: string);
}

/** The site's grants do not allow it, or the hook's needs do not ask for it; `hint` says what would. */
declare class Denied extends Fault {}

/** A command ran, and its declared success was not met. */
declare class CommandFailed extends Fault {
  node: string;
  command: string;
  outcome: Outcome;
}

/** A secret of the run, by its name. Nobody can read it. */
declare class Secret {
  name: string;
  constructor(name: string);
}

interface Outcome {
  succeeded: boolean;
  /** Exit status; -1 where a signal ended it. */
  exit: number;
  /** Why it does not count as a success; empty if it does. */
  reason: string;
  /** What the command's declared parser gives of its output, line by line. */
  output: string[];
}

interface Member {
  name: string;
  /** `first` (active when the run began), `second` (standby then), or empty. */
  role: string;
  groups: string[];
}

interface FileStat {
  /** Bytes. */
  size: bigint;
  /** Octal, as `0600`. */
  mode: string;
  owner: string;
  group: string;
  /** Seconds since 1970 UTC. */
  modified: bigint;
}

interface Certificate {
  subject: string;
  issuer: string;
  serial: string;
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: string;
  /** Seconds since 1970 UTC. */
  notBefore: bigint;
  notAfter: bigint;
  keyAlgorithm: string;
  signatureAlgorithm: string;
  canIssue: boolean;
  subjectKeyId: string;
  authorityKeyId: string;
  names: string[];
}

interface HealthRecord {
  /** The node that was asked. */
  reporter: string;
  /** The node the row is about. */
  node: string;
  /** `active`, `standby` or `null`. */
  role: string;
  /** `normal`, `abnormal`, `null` or `unreachable`. */
  state: string;
  phase: string;
}

/** What to write into a file: `certificate`, `key`, or a node's `file`. */
interface Content {
  tag: string;
}

type Arguments = Record<string, string | number | Secret>;

/** A node, by its name in the inventory. Nothing is asked of the host before a method is called. */
interface Node {
  name: string;
  /** Runs a named command and waits for it; throws `CommandFailed` where its declared success is not met. */
  run(command: string, given?: Arguments): Outcome;
  /** As `run`; returns the outcome whatever it is. */
  tryRun(command: string, given?: Arguments): Outcome;
  /** How far the node's clock is ahead of the controller's, in milliseconds. */
  clockOffset(): number;
  stat(file: string): FileStat | null;
  /** SHA-256 of a file in lower-case hex, or null where it does not exist. */
  fingerprint(file: string): string | null;
  /** The bytes of a file that is not secret, at most 1 MiB; `text` makes text of them. */
  read(file: string): Uint8Array;
  /** The bytes free where the file lies. */
  space(file: string): number;
  /** A file of this node, as content for another. */
  file(file: string): Content;
  /** Replaces a file at once. */
  put(file: string, content: string | Uint8Array | Secret | Content): void;
  /** Writes new content beside the file, as part of a named set. */
  stage(set: string, file: string, content: string | Uint8Array | Secret | Content): void;
  /** Renames every file of a set into its place, as one generation. */
  swap(set: string): void;
  /** Removes what was staged of a set and not swapped in. */
  discard(set: string): void;
  /** Removes a file; nothing to do where it does not exist. */
  remove(file: string): void;
  /** Puts back a file, or all that a named command is declared to write, as it was before this run. */
  restore(name: string): void;
  /** The certificate that a named endpoint presents now. */
  served(endpoint: string): Certificate;
}

/** What is about to happen, or has happened. What an event does not have is null. */
interface WindlassEvent {
  /** before-run, before-step, after-step, after-run, on-failure, on-rollback: an open set. */
  code: string;
  details: Record<string, string>;
  parameters: Record<string, string>;
  procedure: string | null;
  run: string | null;
  site: string | null;
  first: string | null;
  second: string | null;
  step: string | null;
  title: string | null;
  /** The node that the step changes, if it is one. */
  node: string | null;
  nodes: string[];
  reason: string | null;
  message: string | null;
  /** What the site gives this hook under a name, in `params`. Without a second argument it must. */
  parameter(name: string, otherwise?: string): string;
}

declare const event: WindlassEvent;
declare function node(name: string): Node;
declare function members(): Member[];
/** Runs a named command on many nodes, a bounded number at a time. In inventory order. */
declare function runEach(
  names: (string | Node | Member)[],
  command: string,
  given?: Arguments,
): { node: string; outcome?: Outcome; fault?: Fault }[];
declare function health(): HealthRecord[];
/** The HTTP status that the manager's page answers with. */
declare function manager(): number;
/** A parameter of the procedure. What the site gives the hook is `event.parameter(name)`. */
declare function parameter(name: string): string | null;
declare function confirm(question: string, impact: string): boolean;
declare function acknowledge(question: string, impact: string): boolean;
/** Writes a note into the run's report, at most 4,096 characters. */
declare function note(words: string): void;
declare function progress(done: number, total: number, words?: string): void;
declare function secret(name: string): Secret;
declare function certificate(name: string): Content;
declare function key(name: string, passphrase: string): Content;
/** Small values that the run keeps for this hook between its calls, as text. Not for secrets. */
declare const state: { get(name: string): string | null; set(name: string, value: unknown): void };
/** Waits. */
declare function sleep(milliseconds: number): void;
/** Milliseconds since 1970 UTC, by the controller's clock; `Date` shows the time at which this call first asked. */
declare function now(): number;
/** Refuses what is about to happen, and ends the hook. For events that come before something. */
declare function veto(reason: string): never;
/** Shows this in the report, and lets the run go on. */
declare function warn(words: string): void;
/** The text of UTF-8 bytes. */
declare function text(bytes: Uint8Array): string;

// The interfaces of the contract as they are, their faults thrown as `Fault`.
declare const nodes: any, files: any, cluster: any, crypto: any, keyring: any, secrets: any, operator: any;
