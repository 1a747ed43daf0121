argument; token=$value
argument; path=$value
fence "$token"
if [ -L "$path" ]; then fail link "$(readlink "$path")"; fi
if [ -e "$path" ]; then
    [ -f "$path" ] || fail kind "$path"
    rm -f "$path" || fail write "$path"
    parent_of "$path"
    flush "$parent"
fi
echo ok
