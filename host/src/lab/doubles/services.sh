#!/bin/sh
# Stands for what starts, stops and watches the services of a node. Its name, its words and the one service that
# it knows are invented: nothing public tells how the product does it.
# Verbs: start, stop; stopped and started, which succeed exactly where all services of the node are so; renew, as
# when the database's password is changed: it is sealed anew, under the key of now; and unused NUMBER, which succeeds
# exactly where nothing of the services is sealed under that version of the key.
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
renew)
    said=$("$lab/windlass" lab-service services-renew "$lab" 2>&1) || complain "${said#error: }"
    finish "$service password is sealed anew"
    ;;
unused)
    case $2 in
    '' | *[!0-9]*) fail "Not the number of a version: $2" ;;
    esac
    version=$2
    left=0
    for sealed in "$BIGDATA_HOME"/service/*.sealed; do
        # Behind a byte that says whose it is, the number of the version, in four.
        number=$(od -An -tu1 -j1 -N4 "$sealed") || fail "Cannot read $sealed."
        set -- $number
        if [ "$version" = $((($1 << 24) | ($2 << 16) | ($3 << 8) | $4)) ]; then
            name=${sealed##*/}
            printf '%s %s is sealed under %s\n' "$service" "${name%.sealed}" "$version"
            left=1
        fi
    done
    exit $left
    ;;
*) fail "Unknown verb: $1" ;;
esac
