"""Writes into the report what each node serves after a step: `trail`, compiled from Python."""

import windlass
from windlass import Fault, node, note


def handle(event):
    for name in event.nodes or ["-"]:
        try:
            served = node(name).served("ha").fingerprint[:12]
        except Fault as fault:
            served = fault.code
        note(f"{event.code} {event.step or '-'}: {name} serves {served}")
    if event.parameter("strict", "no") == "yes" and event.code == "before-step":
        windlass.veto(f"{event.step} is not to be done")


HookApi = windlass.export(handle, title="Note what each node serves")
