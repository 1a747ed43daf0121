# The lease of a node, ~/.windlass/lease: making the folder takes it, its token appears last and whole.
#   token    the number that the holder's jobs and file swaps must show; ~/.windlass/token outlives it
#   record   who holds it: lines RUN, CONTROLLER in base64, PROCEDURE, SINCE
# In: VERB, RUN, TOKEN or -; for acquire and take-over then CONTROLLER, PROCEDURE, SINCE.
# Out: ok TOKEN | free | held TOKEN, then the record | living NAMES
lease=$base/lease

# A lease without a token is being taken, or its taker died: then it becomes one of token 0, or what it was
# before a take-over began. The link fails where a token has come meanwhile.
settle() {
    tries=0
    while [ -d "$lease" ] && [ ! -e "$lease/token" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 40 ]; then
            for was in "$lease"/was.*; do
                if [ -e "$was" ]; then ln "$was" "$lease/token" 2>/dev/null; fi
            done
            echo 0 >"$lease/none.$$" && ln "$lease/none.$$" "$lease/token" 2>/dev/null
            return
        fi
        nap 0.05
    done
}

# Reads who holds it into $held, $holder and $where.
look() {
    held= holder= where=
    settle
    { IFS= read -r held <"$lease/token"; } 2>/dev/null || return 1
    { IFS= read -r holder && IFS= read -r where; } 2>/dev/null <"$lease/record"
    return 0
}

# An earlier answer was lost: it is this run's already, on this controller.
tell_mine() {
    [ "$holder" = "$run" ] && [ "$where" = "$controller" ] && [ "$held" != 0 ] || return
    printf 'ok %s\n' "$held"
    exit 0
}

tell_held() {
    printf 'held %s\n' "$held"
    cat "$lease/record" 2>/dev/null
    exit 0
}

# Whole or not at all, and on the disk.
put() {
    printf '%s\n' "$2" >"$1.$$" && sync "$1.$$" 2>/dev/null
    mv "$1.$$" "$1" || exit 91
}

record() { put "$lease/record" "$(printf '%s\n%s\n%s\n%s' "$run" "$controller" "$procedure" "$since")"; }

# Raises the node's token; prints the new one.
raise() {
    last=0
    { IFS= read -r last <"$base/token"; } 2>/dev/null
    case $last in '' | *[!0-9]*) exit 92 ;; esac
    put "$base/token" $((last + 1))
    echo $((last + 1))
}

# Gives the token of a folder that this script made or has emptied of its token.
give() {
    record
    mine=$(raise) || exit $?
    echo "$mine" >"$lease/mine.$$" || exit 91
    # Whoever thought this script dead has put another token there.
    if ln "$lease/mine.$$" "$lease/token" 2>/dev/null; then
        rm -f "$lease"/mine.* "$lease"/was.* "$lease"/none.*
        printf 'ok %s\n' "$mine"
        exit 0
    fi
    look
    tell_held
}

refuse_living() {
    names=$(living "$holder")
    [ -z "$names" ] && return
    [ -z "$1" ] || ln "$1" "$lease/token"
    printf 'living %s\n' "$(echo $names)"
    exit 0
}

IFS= read -r verb && IFS= read -r run && IFS= read -r token || exit 90
case $verb in acquire | take-over)
    IFS= read -r controller && IFS= read -r procedure && IFS= read -r since || exit 90
    mkdir -p "$base" && chmod 700 "$base" || exit 91
    ;;
esac

case $verb in
acquire)
    mkdir "$lease" 2>/dev/null && give
    if look; then
        tell_mine
        # This run's earlier attempt died in the middle: nobody was given the token 0.
        if [ "$holder" = "$run" ] && [ "$held" = 0 ] && mv "$lease/token" "$lease/was.$$" 2>/dev/null; then
            give
        fi
        tell_held
    fi
    # Released between the two looks.
    mkdir "$lease" 2>/dev/null && give
    look && tell_held
    exit 91
    ;;
take-over)
    mkdir "$lease" 2>/dev/null && give
    look || exit 91
    tell_mine
    [ "$held" = "$token" ] || tell_held
    refuse_living
    # Of two that take over only one moves the token away. While it is away no job starts and no file moves.
    was=$lease/was.$$
    if ! mv "$lease/token" "$was" 2>/dev/null; then
        look
        tell_held
    fi
    moved=
    { IFS= read -r moved <"$was"; } 2>/dev/null
    if [ "$moved" != "$token" ]; then
        ln "$was" "$lease/token" && rm -f "$was"
        look
        tell_held
    fi
    # One may have started right before: it has its record by now, or will find no token.
    refuse_living "$was"
    give
    ;;
check | read)
    if ! look; then
        echo free
    elif [ "$verb" = check ] && [ "$holder" = "$run" ] && [ "$held" = "$token" ]; then
        printf 'ok %s\n' "$held"
    else
        tell_held
    fi
    ;;
release)
    if ! look; then
        echo free
        exit 0
    fi
    [ "$holder" = "$run" ] && [ "$held" = "$token" ] || tell_held
    names=$(living "$run")
    if [ -n "$names" ]; then
        printf 'living %s\n' "$(echo $names)"
        exit 0
    fi
    # At once, so that nobody sees half of it; what a killed release leaves is an unused folder.
    mv "$lease" "$base/released.$$" && rm -rf "$base"/released.* || exit 91
    printf 'ok %s\n' "$held"
    ;;
esac
