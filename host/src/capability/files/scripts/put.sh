argument; token=$value
fence "$token"
write_beside
flush "$beside"
fence "$token"
check_target "$path"
mv -f "$beside" "$path" || undo_write write "$path"
flush "$parent"
echo ok
