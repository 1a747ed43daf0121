#!/bin/sh
# Stands for what starts, stops and watches the services of a node. Its name, its words and the one service that
# it knows are invented: nothing public tells how the product does it.
# Verbs: start, stop; and stopped and started, which succeed exactly where all services of the node are so.
. "${BIGDATA_HOME:?is not set: log in as the service user}/.windlass-lab/common.sh"
begin services
service=DBService

# Whether it runs. A pid may be another process's by now, so the file has its start time too.
state=stopped
look() {
    state=stopped
    { read -r pid started <"$lab/db-service.pid" && read -r stat <"/proc/$pid/stat"; } 2>/dev/null || return 0
    # What follows the name in parentheses: the state is the first of it, the start time the twentieth.
    set -- ${stat##*)}
    case $1 in
    Z | X) ;;
    *) if [ "${20}" = "$started" ]; then state=running; fi ;;
    esac
}

observe() {
    look
    printf '%s %s\n' "$service" "$state"
    [ "$state" = "$1" ]
}

# complain TEXT
complain() {
    printf '%s: %s\n' "$service" "$1" >&2
    leave
}

case $1 in
started) observe running || exit 1 ;;
stopped) observe stopped || exit 1 ;;
start)
    hang_if_told
    if on lying-success; then finish "$service running"; fi
    said=$("$lab/windlass" lab-service services-start "$lab" 2>&1) || complain "${said#error: }"
    finish "$service running"
    ;;
stop)
    hang_if_told
    if on lying-success; then finish "$service stopped"; fi
    if [ -e "$lab/switches/stuck-service" ]; then
        look
        if [ "$state" = running ]; then complain "it does not stop"; fi
    fi
    said=$("$lab/windlass" lab-service services-stop "$lab" 2>&1) || complain "${said#error: }"
    finish "$service stopped"
    ;;
*) fail "Unknown verb: $1" ;;
esac
