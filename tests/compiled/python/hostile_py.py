"""A hook that does to its host what the event's code says."""

import windlass
from windlass import note


def deeper(n):
    return deeper(n + 1) + 1


def handle(event):
    if event.code == "loops":
        while True:
            pass
    elif event.code == "allocates":
        kept = []
        while True:
            kept.append(bytearray(1 << 20))
    elif event.code == "recurses":
        deeper(0)
    elif event.code == "answers-much":
        windlass.veto("x" * (20 << 20))
    elif event.code == "asks-much":
        note("x" * (20 << 20))
    elif event.code == "prints":
        for _ in range(3000):
            print("x" * 1000)
        raise ValueError("end")


HookApi = windlass.export(handle, title="Do what the event says")
