# Removes the records of a run's jobs. In: RUN, TOKEN or -. Out: the names of those that live; then none is
# removed. Nor is any where the lease is another's: who adopted the run still needs them.
IFS= read -r run && IFS= read -r token || exit 90
if [ "$token" != - ] && [ -e "$base/lease" ]; then
    theirs=-
    { IFS= read -r theirs <"$base/lease/token"; } 2>/dev/null
    [ "$theirs" = "$token" ] || exit 0
fi
found=$(living "$run")
if [ -n "$found" ]; then
    printf '%s\n' "$found"
    exit 0
fi
[ -d "$base/runs/$run/jobs" ] || exit 0
rm -rf "$base/runs/$run/jobs" || exit 91
# Other rooms may keep things of the run here.
rmdir "$base/runs/$run" 2>/dev/null
exit 0
