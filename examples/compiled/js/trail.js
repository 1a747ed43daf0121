// Writes into the report what each node serves after a step: `trail`, compiled from JavaScript.

import * as cluster from "windlass:plugin/cluster@0.1.1";
import * as operator from "windlass:plugin/operator@0.1.1";
import { Fault, bind } from "../../../sdk/js/windlass.js";

const { globals, hook } = bind({ cluster, operator });
const { node, note, veto } = globals;

const handle = (event) => {
  for (const name of event.nodes.length > 0 ? event.nodes : ["-"]) {
    let served;
    try {
      served = node(name).served("ha").fingerprint.slice(0, 12);
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      served = fault.code;
    }
    note(`${event.code} ${event.step ?? "-"}: ${name} serves ${served}`);
  }
  if (event.parameter("strict", "no") === "yes" && event.code === "before-step") {
    veto(`${event.step} is not to be done`);
  }
};

export const hookApi = hook(handle, "Note what each node serves");
