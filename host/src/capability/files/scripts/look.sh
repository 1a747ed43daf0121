# stat, fingerprint, read, space: what is asked for is the first line.
argument; what=$value
argument; path=$value
argument; limit=$value

if [ "$what" = space ]; then
    parent_of "$path"
    [ -d "$parent" ] || fail parent "$parent"
    echo ok
    df -Pk "$parent"
    exit
fi

if [ ! -e "$path" ]; then
    # A folder that may not be entered looks like an absent file, and is not one.
    parent_of "$path"
    if [ -d "$parent" ] && [ ! -x "$parent" ]; then fail denied "$parent"; fi
    echo none
    exit
fi
[ -f "$path" ] || fail kind "$path"
case $what in
stat)
    facts=$(stat -L -c '%s %a %U %G %Y' "$path") || fail denied "$path"
    printf 'ok\n%s\n' "$facts"
    ;;
fingerprint)
    digest=$(digest_of "$path") || fail denied "$path"
    printf 'ok\n%s\n' "$digest"
    ;;
read)
    size=$(stat -L -c %s "$path") || fail denied "$path"
    [ "$size" -le "$limit" ] || fail size "$size bytes, where $limit are allowed"
    [ -r "$path" ] || fail denied "$path"
    printf 'ok %s\n' "$size"
    cat "$path"
    ;;
esac
