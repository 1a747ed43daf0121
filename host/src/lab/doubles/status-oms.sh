#!/bin/sh
# Double of the product's status-oms.sh: both members as this node sees them.
. "${BIGDATA_HOME:?is not set: log in as the service user}/.windlass-lab/common.sh"
begin status-oms
hang_if_told

# The HA service rewrites the table at every heartbeat; where it does not run, nothing is known.
if read -r pid rest <"$lab/pid" 2>/dev/null && kill -0 "$pid" 2>/dev/null; then
    cat "$lab/status" || exit 1
else
    cat "$lab/status.stopped" || exit 1
fi
if on wrong-exit; then exit 3; fi
