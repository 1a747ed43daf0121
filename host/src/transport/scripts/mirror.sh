# The mirror of a run's journal, ~/.windlass/runs/RUN/mirror, on every manager:
#   rows    a line for each piece: FROM TO HASH SEALED; one that was cut short is there again behind
#   heads   a line TO HASH for each piece that is whole; the last one is the head
# Nothing is synced: what must outlive this node's crash is on the controller's disk.
# In: VERB, RUN; for append then TOKEN or -, FROM, TO, HASH, then the piece as it is.
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

case $verb in
append)
    IFS= read -r token && IFS= read -r from && IFS= read -r to && IFS= read -r head || exit 90
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
