# Runs one command. Each word arrives as a line, so none is ever quoted; the command's own standard error joins
# its output, and this script's stays apart.

refuse() {
    printf 'windlass-fault %s\n' "$1" >&2
    exit 3
}

word() {
    IFS= read -r line && word_of_line || refuse input
}

word
folder=$value
word
count=$value
set --
while [ "$count" -gt 0 ]; do
    word
    set -- "$@" "$value"
    count=$((count - 1))
done

[ -z "$folder" ] || cd "$folder" 2>/dev/null || refuse cwd
[ -z "${login_umask:-}" ] || umask "$login_umask"
# TMOUT for the command itself: a login shell may hold it read-only, and an exported one breaks `read`.
# Through a pipe, so that what the command leaves running holds this script, as long as its time lasts, and
# cannot print into the output of another.
exec 4>&1
status=$({ { env TMOUT=0 "$@" </dev/null 2>&1 3>&- 4>&-; echo "$?" >&3; } | cat >&4 3>&- 4>&-; } 3>&1)
exit "$status"
