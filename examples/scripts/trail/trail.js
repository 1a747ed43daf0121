// /// windlass
// api = "0.1"
// summary = "Writes into the report what each node serves after a step"
//
// [[needs]]
// reason = "See which certificate each node serves"
// endpoints = ["ha@*"]
//
// [[needs]]
// reason = "Write it into the report"
// general = ["note"]
// ///

// Writes into the report what each node serves after a step.
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
