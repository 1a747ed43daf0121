argument; token=$value
read_set
fence "$token"
read_note

# Half a generation in place: taking the other half away would hide how to finish it.
if [ "$state" = prepared ]; then
    some_placed=no
    some_staged=no
    while IFS= read -r line; do
        [ -n "$line" ] || continue
        path=${line#* }
        digest=${line%% *}
        noted_inode "$path"
        if staged "$path"; then
            some_staged=yes
        elif placed "$path" "$digest" "$found"; then
            some_placed=yes
            halfway=$path
        fi
    done <<END
$wanted
END
    if [ "$some_placed$some_staged" = yesyes ]; then fail half "$halfway"; fi
fi

while IFS= read -r line; do
    [ -n "$line" ] || continue
    path=${line#* }
    [ -e "$path$suffix" ] || [ -L "$path$suffix" ] || continue
    rm -f "$path$suffix" || fail write "$path$suffix"
    parent_of "$path"
    flush "$parent"
done <<END
$wanted
END
rm -f "$note" "$note.new" || fail write "$note"
echo ok
