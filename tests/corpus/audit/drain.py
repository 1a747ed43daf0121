# /// windlass
# api = "0.1"
# version = "1.0.0"
# summary = "Takes a node out of HAProxy while it is restarted, and back in afterwards"
#
# [[needs]]
# reason = "Take the node out before its restart, and in again after it, through HAProxy's runtime socket"
# commands = ["haproxy-drain@*", "haproxy-ready@*", "haproxy-sessions@*"]
#
# [[needs]]
# reason = "Wait until the node's last session has ended"
# general = ["clock", "note"]
# ///
"""Takes a node out of HAProxy while it is restarted, and back in afterwards.

    [[hooks]]
    plugin = "drain"
    before = "ha-cert/restart@first"
    params = { balancer = "lb1", patience = "60" }

    [[hooks]]
    plugin = "drain"
    after = "ha-cert/restart@first"
    params = { balancer = "lb1" }

    [[hooks]]
    plugin = "drain"
    on = "ha-cert/rollback"
    params = { balancer = "lb1" }

``balancer`` is a node of the site; several, parted by spaces, are drained one after the other. A server of HAProxy is
called as the node is. ``patience`` is in seconds: a node that still has sessions then is restarted all the same.
"""

import time

from windlass import event, node, note, warn


def sessions(balancer, server):
    """The sessions that a server still has, by HAProxy's own count."""
    lines = balancer.run("haproxy-sessions", server=server).output
    return int(lines[0]) if lines else 0


def drain(balancer, server):
    balancer.run("haproxy-drain", server=server)
    end = time.monotonic() + int(event.parameter("patience", "60"))
    while (left := sessions(balancer, server)) > 0:
        if time.monotonic() >= end:
            warn(f"{server} still has {left} sessions on {balancer.name}")
            return
        time.sleep(1)
    note(f"{server} is out of {balancer.name}")


def ready(balancer, server):
    balancer.run("haproxy-ready", server=server)
    note(f"{server} is in {balancer.name} again")


# A rollback is told once, when every step was taken back: whichever node is out comes in again.
servers = event.nodes or [name for name in (event.first, event.second) if name]
for name in event.parameter("balancer").split():
    for server in servers:
        if event.code == "before-step":
            drain(node(name), server)
        elif event.code in ("after-step", "on-rollback"):
            ready(node(name), server)
