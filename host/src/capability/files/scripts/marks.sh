# Says of each file what tells whether it was changed: mode, owner and digest, or where its bytes could be guessed
# from that, inode, size and time.
argument; count=$value
while [ "$count" -gt 0 ]; do
    argument; how=$value
    argument; path=$value
    count=$((count - 1))
    if [ ! -e "$path" ]; then
        echo none
        continue
    fi
    facts='%a %u:%g'
    [ "$how" = digest ] || facts="$facts %i %s %Y"
    mark=$(stat -L -c "$facts" "$path" 2>/dev/null) || mark=shut
    if [ "$how" = digest ] && [ -f "$path" ]; then mark="$mark $(digest_of "$path" 2>/dev/null)"; fi
    printf '%s\n' "$mark"
done
echo ok
