argument; token=$value
argument; run=$value
argument; count=$value
fence "$token"
saved=$HOME/.windlass/runs/$run/saved

put_back() {
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then
        erase "$2"
    elif [ -d "$1" ] && [ ! -L "$1" ]; then
        put_back_folder "$1" "$2"
    else
        put_back_file "$1" "$2"
    fi
}

put_back_file() {
    parent_of "$2"
    [ -d "$parent" ] || fail parent "$parent"
    # `mv` would go into a folder rather than replace it, and has its own ideas of links that lead to the
    # same place or in a circle; only between plain files is there always something in the place.
    if [ -d "$2" ] || [ -L "$2" ] || [ -L "$1" ]; then erase "$2"; fi
    fresh=${parent%/}/.windlass-restore
    erase "$fresh"
    cp -a "$1" "$fresh" || restore_failed write "$2"
    [ "$(stat -c '%a %u:%g' "$1")" = "$(stat -c '%a %u:%g' "$fresh")" ] ||
        restore_failed owner "$(stat -c %U:%G "$1")"
    [ -L "$fresh" ] || flush "$fresh"
    mv -f "$fresh" "$2" || restore_failed write "$2"
}

restore_failed() {
    rm -f "$fresh"
    fail "$1" "$2"
}

# In a subshell, so that its variables are its own however deep the tree is.
put_back_folder() (
    from=$1
    to=$2
    if [ -L "$to" ] || { [ -e "$to" ] && [ ! -d "$to" ]; }; then erase "$to" || exit; fi
    if [ ! -d "$to" ]; then
        parent_of "$to"
        [ -d "$parent" ] || fail parent "$parent"
        mkdir "$to" || fail write "$to"
    fi
    if [ ! -w "$to" ] || [ ! -x "$to" ]; then chmod u+rwx "$to" || fail write "$to"; fi
    for there in "$to"/* "$to"/.[!.]* "$to"/..?*; do
        [ -e "$there" ] || [ -L "$there" ] || continue
        kept=$from/${there##*/}
        if [ ! -e "$kept" ] && [ ! -L "$kept" ]; then erase "$there" || exit; fi
    done
    for kept in "$from"/* "$from"/.[!.]* "$from"/..?*; do
        [ -e "$kept" ] || [ -L "$kept" ] || continue
        put_back "$kept" "$to/${kept##*/}" || exit
    done
    ensure_owner "$to" "$(stat -c %u:%g "$from")" || exit
    chmod "$(stat -c %a "$from")" "$to" || fail write "$to"
    if command -v getfacl >/dev/null && command -v setfacl >/dev/null; then
        getfacl -cp "$from" 2>/dev/null | { setfacl -k "$to" && setfacl --set-file=- "$to"; } 2>/dev/null
    fi
    touch -r "$from" "$to" 2>/dev/null
    flush "$to"
)

# Everything is checked before anything is put back.
targets=
while [ "$count" -gt 0 ]; do
    argument; known=$value
    argument; path=$value
    find_entry "$path" || fail unsaved "$path"
    [ "$known" = - ] || [ "$(digest_of "$entry/entry")" = "$known" ] || fail tampered "$entry"
    read_entry "$entry"
    if [ "$kind" = absent ]; then
        [ ! -e "$entry/data" ] || fail tampered "$entry"
    else
        [ "$(content_digest "$entry/data")" = "$content" ] || fail tampered "$entry"
    fi
    targets="$targets$path
"
    count=$((count - 1))
done

fence "$token"
while IFS= read -r path; do
    [ -n "$path" ] || continue
    find_entry "$path" || fail unsaved "$path"
    read_entry "$entry"
    if [ "$held" = "$path" ]; then
        source=$entry/data
    else
        source=$entry/data/${path#"$held"/}
    fi
    put_back "$source" "$path" || exit
    parent_of "$path"
    if [ -d "$parent" ]; then flush "$parent"; fi
done <<END
$targets
END
echo ok
