# A shell that is kept: runs one script after another, each in a shell of its own that begins as this one is.
# In, for each: a line TOKEN NUMBER [SCRIPT in base64, where it is new], then a line of the input: empty, or behind
# `=` with newlines and backslashes escaped, which takes a shell no process to read, or behind `:` in base64.
# Out, on both streams: the begin and the end with the token, the status behind the end.

# A printf that is a program would have the input in its arguments.
[ "$(command -v printf)" = printf ] || exit 97
windlass_run() {
    windlass_input= windlass_new=
    printf "\nwindlass-begin %s\n" "$windlass_token" >&2
    printf "\nwindlass-begin %s\n" "$windlass_token"
    eval "eval \"\$windlass_script_$windlass_number\""
}
while IFS=" " read -r windlass_token windlass_number windlass_new && IFS= read -r windlass_input; do
    [ -z "$windlass_new" ] ||
        eval "windlass_script_$windlass_number=\$(printf %s \"\$windlass_new\" | base64 -d)" || exit
    case $windlass_input in
    =*) printf %b "${windlass_input#=}" | (windlass_run) ;;
    :*) printf %s "${windlass_input#:}" | base64 -d | (windlass_run) ;;
    *) (windlass_run) </dev/null ;;
    esac
    windlass_status=$?
    windlass_input=
    printf "\nwindlass-end %s %s\n" "$windlass_token" "$windlass_status" >&2
    printf "\nwindlass-end %s %s\n" "$windlass_token" "$windlass_status"
done
