read_set
read_note
printf 'ok %s\n' "$state"
while IFS= read -r line; do
    [ -n "$line" ] || continue
    digest=${line%% *}
    path=${line#* }
    noted_inode "$path"
    if staged "$path"; then is_staged=1; else is_staged=0; fi
    if placed "$path" "$digest" "$found"; then is_placed=1; else is_placed=0; fi
    printf '%s %s\n' "$is_staged" "$is_placed"
done <<END
$wanted
END
