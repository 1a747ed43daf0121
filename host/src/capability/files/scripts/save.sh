argument; token=$value
argument; run=$value
argument; key=$value
argument; limit=$value
argument; count=$value
fence "$token"
saved=$HOME/.windlass/runs/$run/saved
mkdir -p "$saved/$key" || fail write "$saved/$key"

# What an earlier save of this run holds of a folder is older than what lies there now.
lay_over() {
    laid=no
    for candidate in "$saved"/*/*/entry; do
        [ -f "$candidate" ] || continue
        read_entry "${candidate%/entry}"
        case $held in
        "$1"/*) ;;
        *) continue ;;
        esac
        inside=$2/${held#"$1"/}
        laid=yes
        erase "$inside"
        [ "$kind" != absent ] || continue
        mkdir -p "${inside%/*}" || fail write "${inside%/*}"
        cp -a "${candidate%/entry}/data" "$inside" || fail write "$inside"
    done
}

save_one() {
    wanted_kind=$1
    path=$2
    find_entry "$path" && return 0

    if [ -L "$path" ]; then fail link "$path"; fi
    if [ ! -e "$path" ]; then
        parent_of "$path"
        if [ -d "$parent" ] && [ ! -x "$parent" ]; then fail denied "$parent"; fi
        found_kind=absent
    elif [ -f "$path" ] && [ "$wanted_kind" = file ]; then
        found_kind=file
    elif [ -d "$path" ] && [ "$wanted_kind" = folder ]; then
        found_kind=folder
    else
        fail kind "$path"
    fi

    number=0
    while [ -e "$saved/$key/$number" ]; do number=$((number + 1)); done
    partial=$saved/$key/.partial
    erase "$partial"
    mkdir "$partial" || fail write "$partial"
    facts='- -'
    sum=-
    if [ "$found_kind" != absent ]; then
        used=$(du -sk "$path") || fail denied "$path"
        used=${used%%[!0-9]*}
        [ "$used" -le "$limit" ] || fail size "$used KiB, where $limit are allowed"
        cp -a "$path" "$partial/data" || save_failed denied "$path"
        [ "$(stat -c '%a %u:%g' "$path")" = "$(stat -c '%a %u:%g' "$partial/data")" ] ||
            save_failed owner "$(stat -c %U:%G "$path")"
        sum=$(content_digest "$path") || save_failed denied "$path"
        [ "$(content_digest "$partial/data")" = "$sum" ] || save_failed moving "$path"
        if [ "$found_kind" = folder ]; then
            lay_over "$path" "$partial/data"
            if [ $laid = yes ]; then sum=$(content_digest "$partial/data") || save_failed denied "$path"; fi
        fi
        facts=$(stat -c '%a %u:%g' "$partial/data")
    fi
    salt=$(head -c 16 /dev/urandom | sha256sum)
    printf '%s\n' 'windlass-save 1' "$path" "$found_kind" "${facts% *}" "${facts#* }" "$sum" "${salt%% *}" \
        >"$partial/entry" || save_failed write "$partial"
    find "$partial" \( -type f -o -type d \) -exec sync {} + 2>/dev/null || sync
    entry=$saved/$key/$number
    mv "$partial" "$entry" || save_failed write "$entry"
    flush "$saved/$key"
}

save_failed() {
    erase "$partial"
    fail "$1" "$2"
}

while [ "$count" -gt 0 ]; do
    argument; asked_kind=$value
    argument; asked=$value
    save_one "$asked_kind" "$asked"
    read_entry "$entry"
    printf 'saved %s %s %s\n' "$(digest_of "$entry/entry")" "$kind" "$held"
    count=$((count - 1))
done
echo ok
