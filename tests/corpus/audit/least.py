# /// windlass
# api = "0.1"
# summary = "x"
#
# [[needs]]
# reason = "r"
# general = ["clock"]
# ///
import json
