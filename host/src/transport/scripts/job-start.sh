# Starts a job unless it was started before, then follows it.
# In: RUN, ID, TOKEN or -, OFFSET; then the runner's own input.
IFS= read -r run && IFS= read -r id && IFS= read -r token && IFS= read -r offset || exit 90
job=$base/runs/$run/jobs/$id
if [ ! -d "$base/runs/$run/jobs" ]; then
    # Fails where the folder is another's.
    mkdir -p "$base/runs/$run/jobs" && chmod 700 "$base" || exit 91
fi
if mkdir "$job" 2>/dev/null; then
    windlass_job=$job windlass_token=$token windlass_umask=$login_umask
    export windlass_job windlass_token windlass_umask windlass_runner
    # The runner reads on from here, so that nothing it is given is on a disk or in an argument.
    begin='eval "$windlass_runner"'
    if setsid -f true 2>/dev/null; then
        setsid -f sh -c "$begin" >/dev/null 2>&1
    else
        # A command in the background would be given /dev/null, and ignores SIGINT and SIGQUIT.
        exec 3<&0
        if command -v setsid >/dev/null; then
            setsid sh -c "$begin" <&3 >/dev/null 2>&1 3<&- &
        else
            (trap '' HUP && exec sh -c "$begin") <&3 >/dev/null 2>&1 3<&- &
        fi
        exec 3<&-
    fi
    unset windlass_job windlass_token windlass_umask windlass_runner
elif [ ! -d "$job" ]; then
    exit 91
fi
exec </dev/null
echo k || exit
follow start
