argument; token=$value
argument; run=$value
argument; key=$value
argument; limit=$value
argument; count=$value
fence "$token"
saved=$HOME/.windlass/runs/$run/saved

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

    while [ -e "$saved/$key/$number" ]; do number=$((number + 1)); done
    entry=$partial/$number
    mkdir -p "$entry" || fail write "$entry"
    facts='- -'
    sum=-
    if [ "$found_kind" != absent ]; then
        used=$(du -sk "$path") || fail denied "$path"
        used=${used%%[!0-9]*}
        [ "$used" -le "$limit" ] || fail size "$used KiB, where $limit are allowed"
        cp -a "$path" "$entry/data" || save_failed denied "$path"
        facts=$(stat -c '%a %u:%g' "$path" "$entry/data") || save_failed denied "$path"
        [ "${facts#*"$newline"}" = "${facts%"$newline"*}" ] || save_failed owner "$(stat -c %U:%G "$path")"
        facts=${facts%"$newline"*}
        if [ "$found_kind" = folder ]; then
            # Side by side; a line each, the same where they hold the same.
            sums=$(folder_sum "$path" & folder_sum "$entry/data"; wait)
            sum=${sums%%"$newline"*}
            [ "$sums" = "$sum$newline$sum" ] || save_failed moving "$path"
            lay_over "$path" "$entry/data"
            if [ $laid = yes ]; then
                before=$(listing_of "$entry/data") || save_failed denied "$path"
                sum=$(digest_of_listing "$before")
                facts=$(stat -c '%a %u:%g' "$entry/data")
            fi
            sum=${sum%% *}
        else
            # A name with a backslash in it has one before its sum too.
            sums=$(sha256sum "$path" "$entry/data") || save_failed denied "$path"
            copied=${sums##*"$newline"} copied=${copied%% *}
            sum=${sums%% *} sum=${sum#\\}
            [ "${copied#\\}" = "$sum" ] || save_failed moving "$path"
        fi
    fi
    { IFS= read -r salt </proc/sys/kernel/random/uuid; } 2>/dev/null || salt=$(head -c 16 /dev/urandom | sha256sum)
    printf '%s\n' 'windlass-save 1' "$path" "$found_kind" "${facts% *}" "${facts#* }" "$sum" "${salt%% *}" \
        >"$entry/entry" || save_failed write "$entry"
    number=$((number + 1))
}

# What cannot be read whole is like nothing else.
folder_sum() {
    { listing_of "$1" || printf 'not whole: %s\n' "$1"; } | sha256sum
}

save_failed() {
    erase "$partial"
    fail "$1" "$2"
}

newline='
'
number=0
partial=$saved/$key/.partial
if [ -e "$partial" ]; then erase "$partial"; fi
while [ "$count" -gt 0 ]; do
    argument; asked_kind=$value
    argument; asked=$value
    save_one "$asked_kind" "$asked"
    read_entry "$entry"
    printf 'saved %s %s %s\n' "$(digest_of "$entry/entry")" "$kind" "$held"
    count=$((count - 1))
done
# What is in place is whole.
if [ -d "$partial" ]; then
    find "$partial" \( -type f -o -type d \) -exec sync {} + 2>/dev/null || sync
    mv "$partial"/* "$saved/$key/" || save_failed write "$saved/$key"
    rmdir "$partial"
    flush "$saved/$key"
fi
echo ok
