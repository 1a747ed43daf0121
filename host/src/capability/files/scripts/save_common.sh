# What was there before a run changed it lies in $HOME/.windlass/runs/RUN/saved/KEY/N/:
# `data`, a copy with its attributes (none where there was nothing), and `entry`, seven lines:
# format, path, kind, mode, owner, SHA-256 of the data, salt. The salt makes the digest of `entry`,
# which leaves the node, say nothing about a password that could be guessed.

# Sets entry to the folder of the save that holds a path: its own, or that of a folder above it. One that is
# being made counts, for who makes it.
find_entry() {
    entry=
    for candidate in "$saved"/*/*/entry "${partial:-/nothing}"/*/entry; do
        [ -f "$candidate" ] || continue
        { IFS= read -r format && IFS= read -r held; } <"$candidate" || continue
        [ "$format" = "windlass-save 1" ] || fail format "$candidate"
        if [ "$held" = "$1" ]; then
            entry=${candidate%/entry}
            return 0
        fi
        case $1 in
        "$held"/*) entry=${candidate%/entry} ;;
        esac
    done
    [ -n "$entry" ]
}

read_entry() {
    {
        IFS= read -r format
        IFS= read -r held
        IFS= read -r kind
        IFS= read -r mode
        IFS= read -r owner
        IFS= read -r content
    } <"$1/entry"
}

listing_of() {
    (cd "$1" && find . -exec stat -c '%f %u %g %N' {} + -type f -exec sha256sum {} + | sort)
}

digest_of_listing() {
    sum=$(printf '%s\n' "$1" | sha256sum) && printf '%s' "${sum%% *}"
}

content_digest() {
    if [ -d "$1" ]; then digest_of_listing "$(listing_of "$1")"; else digest_of "$1"; fi
}

# Also what lies in folders that their owner may not write to.
erase() {
    if [ -d "$1" ] && [ ! -L "$1" ]; then
        find "$1" -type d ! -perm -u+wx -exec chmod u+rwx {} \; 2>/dev/null
        rm -rf "$1" || fail write "$1"
    else
        rm -f "$1" || fail write "$1"
    fi
}
