# The runner of one job, in a session of its own. It owns the command's standard input, gives the replies,
# keeps the time and writes the status; nobody else does, so a connection more or less changes nothing.
#
# In, values as words: TIMEOUT, TERMINAL, CWD or an empty word, the number of variables and each as KEY=VALUE, of
# prompts and each as EXPECT and REPLY, of arguments and each, "end". Secrets are in variables of this shell
# and, one line at a time, in a pipe.
job=$windlass_job token=$windlass_token command_umask=$windlass_umask
unset windlass_job windlass_token windlass_umask windlass_runner

# Cut short: nothing has run, and nothing is to say that it has.
gone() {
    rm -rf "$job"
    exit 0
}
take() { IFS= read -r line || gone; }
take_value() {
    take
    word_of_line || gone
}
finish() {
    printf '%s\n' "$1" >"$job/status.new" && mv "$job/status.new" "$job/status"
    exit 0
}

# A printf that is a program would have what it prints in its arguments.
[ "$(command -v printf)" = printf ] || finish "void no-printf"

take; timeout=$line
take; terminal=$line
take_value; cwd=$value
set -- TMOUT=0
lines="=TMOUT=0
"
take; count=$line
while [ "$count" -gt 0 ]; do
    take_value
    set -- "$@" "$value"
    lines="$lines$line
"
    count=$((count - 1))
done
take; prompts=$line n=1
while [ "$n" -le "$prompts" ]; do
    take_value
    eval "expect_$n=\$value"
    take_value
    eval "reply_$n=\$value"
    n=$((n + 1))
done
take; count=$line
while [ "$count" -gt 0 ]; do
    take_value
    set -- "$@" "$value"
    lines="$lines$line
"
    count=$((count - 1))
done
take
[ "$line" = end ] || gone
unset value line
exec </dev/null

# Whoever makes this folder decides whether the command runs.
mkdir "$job/go" 2>/dev/null || exit 0
core=$(ulimit -S -c)
ulimit -S -c 0
since=$(date +%s)
printf '%s %s %s %s\n' $$ "$(start_of $$)" "$boot" "$since" >"$job/runner.new" &&
    mv "$job/runner.new" "$job/runner" && : >"$job/out" || gone

# After the record, so that a take-over either sees this job or is seen by it.
if [ -e "$base/lease" ]; then
    theirs=-
    { read -r theirs <"$base/lease/token"; } 2>/dev/null
    [ "$theirs" = "$token" ] && [ "$theirs" != - ] || finish "fenced $theirs"
elif [ "$token" != - ] && [ -e "$base/token" ]; then
    finish "fenced none"
fi

setsid=
command -v setsid >/dev/null && setsid=setsid
if [ "$terminal" = 1 ]; then
    # busybox has a script too, which does not hand on the exit status.
    case $(script --version 2>&1) in *util-linux*) ;; *) finish "void no-script" ;; esac
    # What runs on the terminal: takes the arguments from a pipe, for a secret may be among them. No echo,
    # or a reply would be printed; no added carriage returns.
    windlass_terminal='stty -echo -onlcr
exec 5<"$windlass_job/args"
IFS= read -r n <&5
while [ "$n" -gt 0 ]; do
    IFS= read -r l <&5
    case $l in
    =*) v=${l#=} ;;
    *) v=$(printf %s "${l#:}" | base64 -d; printf x); v=${v%x} ;;
    esac
    set -- "$@" "$v"
    n=$((n - 1))
done
exec 5<&-
if [ -n "$windlass_shell" ]; then SHELL=$windlass_shell; else unset SHELL; fi
unset windlass_terminal windlass_job windlass_shell
exec env "$@"'
    mkfifo "$job/args" && exec 5<>"$job/args" || finish "void no-fifo"
    printf '%s\n%s' $# "$lines" >&5
    set -- "windlass_terminal=$windlass_terminal" "windlass_job=$job" "windlass_shell=$SHELL" SHELL=/bin/sh \
        script -qec 'exec sh -c "$windlass_terminal"' /dev/null
fi
unset lines

uptime_of() { read -r up rest </proc/uptime && up=${up%.*}; }
# Whom to signal: the command with all that it started in its session, or where there is no setsid it alone.
target() {
    { read -r pid rest <"$job/command"; } 2>/dev/null || return 1
    [ -z "$setsid" ] || pid=-$pid
}

# Waits for one prompt after another, and for the time to be up; also where the runner was killed.
watch() {
    uptime_of
    deadline=$((up + timeout)) n=1 at=0 seen=0 pause=0.01 idle=0
    while kill -0 $$ 2>/dev/null || alive "$job/command"; do
        if [ "$n" -le "$prompts" ]; then
            eval "expect=\$expect_$n"
            size_of "$job/out"
            # Cut back by the command.
            [ "$size" -lt "$at" ] && at=0
            if [ "$size" -ne "$seen" ]; then
                # Small pieces that overlap by a prompt: shells are slow at long strings.
                piece=$(tail -c "+$((at + 1))" "$job/out" | head -c $((2048 + ${#expect})) | tr '\000' '?' && printf x)
                piece=${piece%x}
                case $piece in
                *"$expect"*)
                    after=${piece#*"$expect"}
                    at=$((at + ${#piece} - ${#after})) seen=0
                    : >"$job/reply.$n"
                    eval "printf '%s\n' \"\$reply_$n\"" >&4
                    unset "reply_$n"
                    n=$((n + 1)) pause=0.01 idle=0
                    # No more to say: the command may read the end.
                    [ "$n" -gt "$prompts" ] && exec 4>&-
                    continue
                    ;;
                esac
                if [ ${#piece} -gt 2048 ]; then
                    at=$((at + 2048))
                    continue
                fi
                seen=$size
            fi
        fi
        uptime_of
        if [ "$up" -ge "$deadline" ] && target; then
            : >"$job/timed-out"
            kill -TERM "$pid"
            nap 3
            kill -KILL "$pid"
            return
        fi
        idle=$((idle + 1))
        case $idle in 10) pause=0.02 ;; 50) pause=0.1 ;; 200) pause=0.5 ;; esac
        nap $pause
    done
}

input=/dev/null
if [ "$prompts" -gt 0 ]; then
    input=$job/in
    # Open both ways, so that neither side waits for the other to open.
    mkfifo "$input" && exec 4<>"$input" || finish "void no-fifo"
fi
watch >/dev/null 2>&1 5>&- &
watcher=$!
exec 4>&-
n=1
while [ "$n" -le "$prompts" ]; do
    unset "reply_$n"
    n=$((n + 1))
done

# Not in the background, where a shell ignores SIGINT and SIGQUIT for what it starts.
(
    exec 5>&-
    trap - HUP INT QUIT
    { read -r pid rest </proc/self/stat; } 2>/dev/null
    printf '%s %s %s %s\n' "$pid" "$(start_of "$pid")" "$boot" "$since" >"$job/command.new" &&
        mv "$job/command.new" "$job/command" || exit 126
    umask "$command_umask"
    ulimit -S -c "$core"
    if [ -n "$cwd" ]; then
        cd -- "$cwd" || exit 126
    fi
    exec $setsid env "$@"
) <"$input" >>"$job/out" 2>&1
code=$?

timed_out=0
if [ -e "$job/timed-out" ]; then
    timed_out=1
    target && kill -KILL "$pid"
fi
kill "$watcher"
answered=0
while [ -e "$job/reply.$((answered + 1))" ]; do answered=$((answered + 1)); done
[ "$prompts" -eq 0 ] && [ "$terminal" = 0 ] || rm -f "$job/in" "$job/args"
finish "exit $code $answered $timed_out"
