# /// windlass
# api = "0.1"
# summary = "Writes into the report what each node serves after a step"
#
# [[needs]]
# reason = "See which certificate each node serves"
# endpoints = ["ha@*"]
#
# [[needs]]
# reason = "Write it into the report"
# general = ["note"]
# ///
"""Writes into the report what each node serves after a step."""

from windlass import Fault, event, node, note, veto

for name in event.nodes or ["-"]:
    try:
        served = node(name).served("ha").fingerprint[:12]
    except Fault as fault:
        served = fault.code
    note(f"{event.code} {event.step or '-'}: {name} serves {served}")
if event.parameter("strict", "no") == "yes" and event.code == "before-step":
    veto(f"{event.step} is not to be done")
