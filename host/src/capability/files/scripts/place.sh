# Writes standard input into a new file beside the target, private until it is whole.
# Reads: path, suffix, size, SHA-256, mode or `keep`, owner or `keep`, mode of a new file.
write_beside() {
    argument; path=$value
    argument; beside=$path$value
    argument; size=$value
    argument; digest=$value
    argument; mode=$value
    argument; owner=$value
    argument; fresh=$value

    check_target "$path"
    if [ -e "$beside" ] || [ -L "$beside" ]; then rm -f "$beside" || fail write "$beside"; fi
    (set -C; : >"$beside") || fail write "$beside"
    cat >"$beside" || undo_write write "$beside"
    if [ "$(digest_of "$beside")" != "$digest" ]; then
        [ "$(stat -c %s "$beside")" = "$size" ] || undo_write short "$beside"
        undo_write digest "$beside"
    fi

    if [ -e "$path" ]; then
        if [ "$mode" = keep ]; then
            # GNU cp takes ACLs, extended attributes and labels along; where it cannot, the mode follows below.
            cp --attributes-only --preserve=all "$path" "$beside" 2>/dev/null
            touch "$beside"
        fi
        facts=$(stat -c '%a %u:%g' "$path")
        [ "$mode" != keep ] || mode=${facts% *}
        [ "$owner" != keep ] || owner=${facts#* }
    fi
    if [ "$owner" != keep ] && ! owner_is "$beside" "$owner"; then
        chown "$owner" "$beside" || undo_write owner "$owner"
    fi
    [ "$mode" != keep ] || mode=$fresh
    chmod "$mode" "$beside" || undo_write write "$beside"
}

undo_write() {
    rm -f "$beside"
    fail "$1" "$2"
}
