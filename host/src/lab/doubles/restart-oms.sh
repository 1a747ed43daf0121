#!/bin/sh
# Double of the product's restart-oms.sh: restarts the HA service of this node, and of no other.
. "${BIGDATA_HOME:?is not set: log in as the service user}/.windlass-lab/common.sh"
begin restart-oms
success="start HA successfully."
hang_if_told
if on lying-success; then finish "$success"; fi

"$lab/windlass" lab-service ha-stop "$lab" || fail "HA could not be stopped; see $lab/ha.log."
"$lab/windlass" lab-service ha-start "$lab" || fail "HA could not be started; see $lab/ha.log."
finish "$success"
