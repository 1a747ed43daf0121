# Shared by the scripts of jobs and leases. A folder of a job holds:
#   go       made by whoever decides first: the runner that it runs, or a prober that it never will
#   runner   PID START BOOT SINCE of the runner; command: the same of the command
#   out      what the command prints; reply.N: prompt N was seen, its reply is given now or was
#   status   how it ended; it appears whole, by rename
base=$HOME/.windlass
boot=none
{ IFS= read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null

nap() { sleep "$1" 2>/dev/null || sleep 1; }

# When a process started, in ticks since boot: a pid alone may be another's by now.
start_of() {
    { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -- ${stat##*) }
    [ "$1" != Z ] && echo "${20}"
}

# Is the process of a record alive?
alive() {
    { read -r pid start at since <"$1"; } 2>/dev/null || return 1
    [ "$at" = "$boot" ] && [ "$start" = "$(start_of "$pid")" ]
}

# A killed runner may leave its command behind.
lives() { alive "$1/runner" || alive "$1/command"; }

# Prints the names of the jobs of a run that live. A runner that wrote the status is about to be gone.
living() {
    for j in "$base/runs/$1/jobs"/*/; do
        j=${j%/}
        if [ ! -e "$j/status" ] && lives "$j"; then echo "${j##*/}"; fi
    done
}

# Sets size to that of a file, bytes. Most looks find nothing yet, and need no process for that.
size_of() {
    size=0
    if [ -s "$1" ]; then size=$(($(wc -c <"$1"))); fi
}
