# Removes the records of a run's jobs. In: RUN. Out: the names of those that live; then none is removed.
IFS= read -r run || exit 90
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
