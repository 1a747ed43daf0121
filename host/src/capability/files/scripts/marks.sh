# Says of each file what tells whether it was changed: mode, owner and digest, or where its bytes could be guessed
# from that, inode, size and time.
newline='
'
argument; count=$value
asked= there=
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
while IFS=' ' read -r how seen path; do
    case $seen in
    '') continue ;;
    none) echo none; continue ;;
    esac
    mark=${facts%%"$newline"*}
    facts=${facts#*"$newline"}
    # Mode and owner alone, where the digest says the rest.
    if [ "$how" = digest ] && [ "$mark" != shut ]; then
        mark=${mark% *} mark=${mark% *} mark=${mark% *}
    fi
    if [ "$seen" = file ]; then mark="$mark $(digest_of "$path" 2>/dev/null)"; fi
    printf '%s\n' "$mark"
done <<END
$asked
END
echo ok
