# Read by each of the practice cluster's doubles. The product's own scripts share nothing like it: what is
# here is the lab's (counting executions, switches that make a script misbehave).

: "${OMS_RUN_PATH:?is not set: log in as the service user}"
# Which product it stands for, and where that has its OM folder; written in when the cluster is made.
product=@product@
om=$BIGDATA_HOME/@om@
cert_ha=$om/security/certHA
local_cert=$OMS_RUN_PATH/workspace0/ha/local/cert
lab=$BIGDATA_HOME/.windlass-lab

# begin NAME: counts the execution; nothing of it depends on switches.
begin() {
    double=$1
    began=$(date '+%s %N')
    printf '%s %s\n' "${began% *}" "$double" >>"$lab/journal"
    if on slow; then sleep 2; fi
}

# on SWITCH: succeeds where the switch is on for this script.
on() {
    grep -qx "$double" "$lab/switches/$1" 2>/dev/null
}

# Stays here for as long as the switch is on (or the lab is up), then goes on.
hang_if_told() {
    while on hang; do sleep 0.2; done
}

fail() {
    printf '[ERROR] %s\n' "$1" >&2
    leave
}

# Ends a script that did not do what it was run for.
leave() {
    if on zero-exit; then exit 0; fi
    exit 1
}

# finish TEXT: the success text is the last line. Keeps how long it took, in nanoseconds.
finish() {
    end=0
    if on wrong-exit; then end=3; fi
    ended=$(date '+%s %N')
    case $began$ended in
    *[!0-9\ ]*) ;;
    *) printf '%s %s\n' "$double" $((${ended% *}${ended#* } - ${began% *}${began#* })) >>"$lab/times" ;;
    esac
    printf '%s\n' "$1"
    exit $end
}

# prompt TEXT OTHER: asks, without a terminal too; in the other words where a switch says so.
prompt() {
    if on prompt-missing; then
        :
    elif on prompt-different; then
        printf '%s' "$2"
    else
        printf '%s' "$1"
    fi
}

# ask PROMPT: reads the password. On a terminal, what is typed is not shown.
ask() {
    prompt "$1" 'Enter the pass phrase of another key:'
    if [ -t 0 ]; then
        terminal=$(stty -g)
        trap 'stty "$terminal"; exit 130' INT TERM
        stty -echo
    fi
    IFS= read -r password
    if [ -t 0 ]; then
        stty "$terminal"
        trap - INT TERM
    fi
    [ -n "$password" ] || fail "No password was given."
    printf '\n'
}

# pass PROGRAM…: runs it with the password as its standard input. printf is built into the shell, so the
# password stands in no argument list and in no environment.
pass() {
    printf '%s\n' "$password" | "$@"
}
