# A swap renames every staged file of a set into its place as one generation. A note is written and
# synced before the first rename, so that whoever comes after an interruption can finish it:
#
#     windlass-swap 1 prepared|committed
#     SHA-256-or-dash INODE PATH          (a rename keeps the inode, so it tells what was placed)

# Reads: run, set, suffix, count, then SHA-256-or-dash and path for each file. The list lands in $wanted.
read_set() {
    argument; run=$value
    argument; set_name=$value
    argument; suffix=$value
    argument; count=$value
    notes=$HOME/.windlass/runs/$run/swaps
    note=$notes/$set_name
    wanted=
    while [ "$count" -gt 0 ]; do
        argument; digest=$value
        argument; path=$value
        wanted="$wanted$digest $path
"
        count=$((count - 1))
    done
}

# Splits a line of the note.
note_line() {
    digest=${1%% *}
    rest=${1#* }
    inode=${rest%% *}
    path=${rest#* }
}

# The note's list without the inodes, and its state.
read_note() {
    noted=
    state=none
    [ -f "$note" ] || return 0
    {
        IFS= read -r head
        state=${head##* }
        while IFS= read -r line; do
            note_line "$line"
            noted="$noted$digest $path
"
        done
    } <"$note"
}

staged() {
    [ -f "$1$suffix" ] && [ ! -L "$1$suffix" ]
}

# placed PATH DIGEST INODE
placed() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 1
    if [ "$2" = - ]; then
        [ -n "$3" ] && [ "$(stat -c %i "$1")" = "$3" ]
    else
        [ "$(digest_of "$1")" = "$2" ]
    fi
}

# The inode that the note has for a path; nothing where it has none.
noted_inode() {
    found=
    [ -f "$note" ] || return 0
    {
        IFS= read -r head
        while IFS= read -r line; do
            looked_for=$1
            rest=${line#* }
            if [ "${rest#* }" = "$looked_for" ]; then found=${rest%% *}; fi
        done
    } <"$note"
}
