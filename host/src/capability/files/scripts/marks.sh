# keep: writes down of each file what tells whether it is changed: mode, owner and digest, or where its bytes could be
# guessed from that, inode, size and time. compare: says of each whether that is as it was kept; `unknown` where
# nothing was. $HOME/.windlass/runs/RUN/marks/ID, a line a file; one that was cut short lacks some.
newline='
'
argument; verb=$value
argument; token=$value
argument; run=$value
argument; id=$value
argument; count=$value
kept=$HOME/.windlass/runs/$run/marks/$id
asked=
set --
while [ "$count" -gt 0 ]; do
    argument; how=$value
    argument; path=$value
    count=$((count - 1))
    seen=none
    if [ -e "$path" ]; then
        seen=there
        [ ! -f "$path" ] || [ "$how" != digest ] || seen=file
        set -- "$@" "$path"
    fi
    asked="$asked$how $seen $path$newline"
done

# One process looks at all, and where one of them cannot be looked at, one at each.
facts=
if [ $# -gt 0 ]; then
    facts=$(stat -L -c '%a %u:%g %i %s %Y' "$@" 2>/dev/null) || {
        facts=
        for path in "$@"; do
            facts=$facts$(stat -L -c '%a %u:%g %i %s %Y' "$path" 2>/dev/null || echo shut)$newline
        done
    }
fi
marks=
while IFS=' ' read -r how seen path; do
    case $seen in
    '') continue ;;
    none) marks=${marks}none$newline; continue ;;
    esac
    mark=${facts%%"$newline"*}
    facts=${facts#*"$newline"}
    # Mode and owner alone, where the digest says the rest.
    if [ "$how" = digest ] && [ "$mark" != shut ]; then
        mark=${mark% *} mark=${mark% *} mark=${mark% *}
    fi
    if [ "$seen" = file ]; then mark="$mark $(digest_of "$path" 2>/dev/null)"; fi
    marks=$marks$mark$newline
done <<END
$asked
END

case $verb in
keep)
    fence "$token"
    [ -d "${kept%/*}" ] || mkdir -p "${kept%/*}" || fail write "${kept%/*}"
    printf %s "$marks" >"$kept" || fail write "$kept"
    ;;
compare)
    [ -f "$kept" ] || kept=/dev/null
    exec 3<"$kept"
    while IFS= read -r now; do
        [ -n "$now" ] || continue
        if ! IFS= read -r was <&3; then
            echo unknown
        elif [ "$now" = "$was" ]; then
            echo same
        else
            echo changed
        fi
    done <<END
$marks
END
    ;;
esac
echo ok
