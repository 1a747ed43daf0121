# /// windlass
# name = "{{name}}"
# api = "0.1"
# summary = "Lets a run go on only while every manager is well"
#
# [[needs]]
# reason = "See what every manager says of itself and of the other"
# general = ["health"]
# ///
"""Lets a run go on only while every manager is well. Make it what you need."""

from windlass import event, health, veto

# The set of events is open: go on at one that is not known.
if event.code.startswith("before-"):
    for record in health():
        if record.state != "normal":
            veto(f"{record.reporter} says of {record.node} that it is {record.state}")
