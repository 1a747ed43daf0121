# Shared by every script of this room. Arguments are lines on standard input; raw data follows them.
# The answer is lines on standard output; `fault CODE DETAIL` is how a script says what it refused.

fail() {
    printf 'fault %s %s\n' "$1" "$2"
    exit 3
}

[ -n "$HOME" ] && [ -d "$HOME" ] || fail home "$HOME"

argument() {
    IFS= read -r value || fail input "the input ended early"
}

# Another token in the lease means that another run holds the node; none where there once was one, that
# this run no longer does.
fence() {
    theirs=none
    if [ -e "$HOME/.windlass/lease" ]; then
        { IFS= read -r theirs <"$HOME/.windlass/lease/token"; } 2>/dev/null
        [ -n "$1" ] && [ "$theirs" = "$1" ] || fail fenced "${theirs:-none}"
    elif [ -n "$1" ] && [ -e "$HOME/.windlass/token" ]; then
        fail fenced none
    fi
}

parent_of() {
    parent=${1%/*}
    parent=${parent:-/}
}

# A write goes to a regular file or to a new one, in a folder that exists, and through no link.
check_target() {
    parent_of "$1"
    [ -d "$parent" ] || fail parent "$parent"
    if [ -L "$1" ]; then fail link "$(readlink "$1")"; fi
    if [ -e "$1" ] && [ ! -f "$1" ]; then fail kind "$1"; fi
}

digest_of() {
    sum=$(sha256sum <"$1") && printf '%s' "${sum%% *}"
}

# Old `sync` takes no file; then everything is synced.
flush() {
    sync "$@" 2>/dev/null || sync
}

owner_is() {
    case $2 in
    *:*) owners=$(stat -c '%U:%G %u:%g' "$1") ;;
    *) owners=$(stat -c '%U %u' "$1") ;;
    esac
    case " $owners " in *" $2 "*) ;; *) false ;; esac
}

# A service user who is not root may not change an owner, and need not where it is right already.
ensure_owner() {
    owner_is "$1" "$2" || chown "$2" "$1" || fail owner "$2"
}
