argument; token=$value
read_set
fence "$token"

write_note() {
    [ -d "$notes" ] || mkdir -p "$notes" || fail write "$notes"
    { printf 'windlass-swap 1 %s\n' "$1" && printf '%s' "$body"; } >"$note.new" || fail write "$note"
    flush "$note.new"
    mv -f "$note.new" "$note" || fail write "$note"
    flush "$notes"
}

# Everything staged and whole: a new generation. Something missing: only a note can say that it was placed.
body=
complete=yes
while IFS= read -r line; do
    [ -n "$line" ] || continue
    digest=${line%% *}
    path=${line#* }
    check_target "$path"
    if ! staged "$path"; then
        complete=no
        missing=$path
        continue
    fi
    if [ "$digest" != - ]; then
        [ "$(digest_of "$path$suffix")" = "$digest" ] || fail digest "$path$suffix"
    fi
    body="$body$digest $(stat -c %i "$path$suffix") $path
"
done <<END
$wanted
END

if [ "$complete" = yes ]; then
    write_note prepared
else
    read_note
    [ "$state" != none ] || fail unstaged "$missing"
    [ "$noted" = "$wanted" ] || fail otherset "$note"
    body=$(sed 1d "$note")
    body="$body
"
fi

fence "$token"
while IFS= read -r line; do
    [ -n "$line" ] || continue
    note_line "$line"
    if staged "$path"; then
        mv -f "$path$suffix" "$path" || fail write "$path"
        parent_of "$path"
        flush "$parent"
    else
        placed "$path" "$digest" "$inode" || fail disturbed "$path"
    fi
done <<END
$body
END
write_note committed
echo ok
