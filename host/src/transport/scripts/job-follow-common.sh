# Prints what job $job does, a line for each thing, from byte $offset of its output on:
#   o BASE64 output, t the output was cut back by the command, k nothing new, r PID SINCE it runs,
#   e STATUS it ended, v it is gone without a status, n it never ran. $1: wait for the end, or look only.
follow() {
    dead=0 quiet=0 pause=0.01 before=no
    while [ -d "$job" ]; do
        # Looked at before the size: all that was printed before the end is then within the size.
        ended=no
        [ -e "$job/status" ] && ended=yes
        size_of "$job/out"
        if [ "$size" -lt "$offset" ]; then
            offset=0
            echo t || exit
        fi
        if [ "$size" -gt "$offset" ] && { [ "$1" != look ] || [ $ended = yes ]; }; then
            length=$((size - offset))
            [ "$length" -gt 49152 ] && length=49152
            if [ "$offset" -eq 0 ]; then
                piece=$(head -c "$length" "$job/out" | base64)
            else
                piece=$(tail -c "+$((offset + 1))" "$job/out" | head -c "$length" | base64)
            fi
            # Unquoted: its lines become one.
            printf 'o ' && printf %s $piece && echo || exit
            offset=$((offset + length)) quiet=0 pause=0.01
            continue
        fi
        if [ $ended = yes ]; then
            IFS= read -r status <"$job/status"
            # Nothing ran: the next may start it.
            case $status in fenced* | void*) rm -rf "$job" ;; esac
            printf 'e %s\n' "$status"
            return
        fi
        # Looked at before its life: one that arrives between the two looks is dead in neither sense.
        arrived=no
        [ -e "$job/runner" ] && arrived=yes
        if [ $arrived != $before ]; then before=$arrived dead=0; fi
        if lives "$job"; then
            dead=0
            if [ "$1" = look ]; then
                printf 'r %s %s\n' "$pid" "$since"
                return
            fi
        else
            # A status may have come between the two looks; a runner may be yet to arrive, on a slow line.
            dead=$((dead + 1))
            if [ $arrived = yes ]; then limit=2; elif [ "$1" = start ]; then limit=2000; else limit=160; fi
            if [ $dead -gt "$limit" ]; then
                if [ -e "$job/status" ]; then continue; fi
                if mkdir "$job/go" 2>/dev/null; then
                    rm -rf "$job"
                    break
                fi
                echo v
                return
            fi
            pause=0.01
        fi
        quiet=$((quiet + 1))
        case $quiet in
        10) pause=0.02 ;;
        50) pause=0.05 ;;
        90) pause=0.2 ;;
        *[05]0) echo k || exit ;;
        esac
        nap $pause
    done
    echo n
}
