// A hook that does to its host what the event's code says.

import * as operator from "windlass:plugin/operator@0.1.1";
import { bind } from "../../../sdk/js/windlass.js";

const { globals, hook } = bind({ operator });
const { note, veto } = globals;

const deeper = (n) => deeper(n + 1) + 1;

const handle = (event) => {
  if (event.code === "loops") {
    for (;;);
  } else if (event.code === "allocates") {
    const kept = [];
    for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
  } else if (event.code === "recurses") {
    deeper(0);
  } else if (event.code === "answers-much") {
    veto("x".repeat(20 << 20));
  } else if (event.code === "asks-much") {
    note("x".repeat(20 << 20));
  }
};

export const hookApi = hook(handle, "Do what the event says");
