# The mirror of a run's journal, ~/.windlass/runs/RUN/mirror, on every manager:
#   rows    a line for each piece: FROM TO HASH SEALED; one that was cut short is there again behind
#   heads   a line TO HASH for each piece that is whole; the last one is the head
# Nothing is synced: what must outlive this node's crash is on the controller's disk.
# One that was found damaged is set aside as mirror.was.
# In: VERB, RUN; for append and set-aside then TOKEN or -; for append then FROM, TO, HASH, the piece as it is.
# Out: none | ok TO HASH | held TO HASH (append: nothing was added) | fenced TOKEN
IFS= read -r verb && IFS= read -r run || exit 90
mirror=$base/runs/$run/mirror

look() {
    last= hash=
    while IFS=' ' read -r sequence sum; do
        last=$sequence hash=$sum
    done 2>/dev/null <"$mirror/heads"
    [ -n "$last" ]
}

fence() {
    if [ "$token" = - ]; then
        :
    elif [ -e "$base/lease" ]; then
        theirs=-
        { IFS= read -r theirs <"$base/lease/token"; } 2>/dev/null
        [ "$theirs" = "$token" ] || { echo "fenced $theirs"; exit 0; }
    elif [ -e "$base/token" ]; then
        echo "fenced none"
        exit 0
    fi
}

case $verb in
append)
    IFS= read -r token && IFS= read -r from && IFS= read -r to && IFS= read -r head || exit 90
    fence
    last=0
    if [ -e "$mirror/heads" ]; then
        look || last=0
    else
        mkdir -p "$mirror" && chmod 700 "$base" || exit 91
    fi
    if [ "$from" -ne $((last + 1)) ]; then
        echo "held $last ${hash:--}"
        exit 0
    fi
    cat >>"$mirror/rows" || exit 91
    printf '%s %s\n' "$to" "$head" >>"$mirror/heads" || exit 91
    echo "ok $to $head"
    ;;
set-aside)
    IFS= read -r token || exit 90
    fence
    rm -rf "$mirror.was" || exit 91
    if [ -d "$mirror" ]; then mv "$mirror" "$mirror.was" || exit 91; fi
    echo none
    ;;
heads)
    if [ -e "$mirror/heads" ] && look; then echo "ok $last $hash"; else echo none; fi
    ;;
fetch)
    if [ -e "$mirror/heads" ] && look; then
        echo "ok $last $hash"
        cat "$mirror/rows"
    else
        echo none
    fi
    ;;
jobs)
    for job in "$base/runs/$run/jobs"/*/; do
        job=${job%/}
        [ -d "$job" ] || continue
        if [ -e "$job/status" ]; then
            IFS= read -r status <"$job/status"
        elif lives "$job"; then
            status=lives
        else
            status=vanished
        fi
        printf '%s %s\n' "${job##*/}" "$status"
    done
    echo end
    ;;
esac
