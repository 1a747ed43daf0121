// Marks a script: a call that notes the line stands before what begins there, on that line, so that every line keeps
// its number. Nothing is marked where a line is known to have run: in `if (ready) go();` the line of `go` is that of
// the `if`.

import { parse } from "acorn";
import { MARK } from "./mark.js";

/** As the engine has it before a script. */
const STRICT = '"use strict";';
/** What is not run where it stands, or does nothing but hold others. */
const SILENT = new Set(["FunctionDeclaration", "EmptyStatement", "BlockStatement"]);

/** The line of each place in a text. */
const lines = (text) => {
  const ends = [];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) ends.push(at);
  return (at) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle] < at) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
};

/** What a label stands before; else the statement itself. */
const labelled = (statement) => (statement.type === "LabeledStatement" ? labelled(statement.body) : statement);

/** Returns a script's text with marks, and the lines that have them. */
export const marked = (script) => {
  const text = STRICT + script;
  const tree = parse(text, { ecmaVersion: "latest", sourceType: "script", allowReturnOutsideFunction: true });
  const lineOf = lines(text);
  const all = new Set();
  const put = [];
  const mark = (at, before, line, after) => {
    all.add(line);
    put.push([at, `${before}${MARK}(${line})${after}`]);
  };

  // In all of these `known` is the line that has run when the code at hand does; 0: none.

  /** One statement after the other. */
  const list = (statements, known) => {
    for (const statement of statements) {
      // Before a directive nothing may stand.
      if (!SILENT.has(statement.type) && statement.directive === undefined) {
        const line = lineOf(labelled(statement).start);
        if (line !== known) mark(statement.start, "", line, ";");
        known = line;
      }
      visit(statement, known);
    }
  };

  /** A statement that is a part of another, for which it may need braces. */
  const part = (statement, known) => {
    const line = lineOf(labelled(statement).start);
    if (SILENT.has(statement.type) || line === known) {
      visit(statement, known);
    } else if (statement.type === "IfStatement") {
      // A chain of `else if` nests no deeper for it.
      mark(statement.test.start, "", line, ",");
      visit(statement, line);
    } else {
      mark(statement.start, "{", line, ";");
      visit(statement, line);
      put.push([statement.end, "}"]);
    }
  };

  const visit = (node, known) => {
    if (node.name === MARK) throw new SyntaxError(`it has the name ${MARK} itself`);
    switch (node.type) {
      case "Program":
      case "BlockStatement":
      case "StaticBlock":
        return list(node.body, known);
      case "FunctionDeclaration":
        return parts(node, 0);
      case "SwitchCase":
        if (node.test !== null) visit(node.test, known);
        return list(node.consequent, known);
      case "LabeledStatement":
        // `continue LABEL` wants its loop right behind the label.
        return visit(node.body, known);
      case "ArrowFunctionExpression": {
        const line = lineOf(node.body.start);
        if (!node.expression || line === known) return parts(node, known);
        for (const parameter of node.params) visit(parameter, known);
        mark(node.body.start, "(", line, ",");
        visit(node.body, line);
        put.push([node.body.end, ")"]);
        return;
      }
      default:
        return parts(node, known);
    }
  };

  const parts = (node, known) => {
    for (const value of Object.values(node)) {
      for (const each of Array.isArray(value) ? value : [value]) {
        if (typeof each?.type !== "string") continue;
        if (each.type.endsWith("Statement")) part(each, known);
        else visit(each, known);
      }
    }
  };

  visit(tree, 0);
  put.sort(([one], [other]) => one - other);
  let [made, from] = ["", STRICT.length];
  for (const [at, words] of put) {
    made += text.slice(from, at) + words;
    from = at;
  }
  return [made + text.slice(from), [...all]];
};
