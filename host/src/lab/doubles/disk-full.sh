# Puts a full filesystem over a folder, or takes it away. Reads: on|off, the folder, its owner's id.
set -eu
verb=$1 folder=$2 owner=$3
filler=$folder/.filler
case $verb in
    on)
        keep=$(mktemp -d)
        cp -a "$folder/." "$keep"
        used=$(du -sk "$keep" | cut -f1)
        mount -t tmpfs -o "size=$((used + 64))k,mode=0700,uid=$owner,gid=$owner" full "$folder"
        cp -a "$keep/." "$folder"
        rm -rf "$keep"
        # Ends when the disk is full, which is the aim.
        dd if=/dev/zero of="$filler" bs=4k 2>/dev/null || :
        ;;
    off)
        # What was replaced or removed meanwhile stays so.
        rm -f "$filler"
        keep=$(mktemp -d)
        cp -a "$folder/." "$keep"
        umount "$folder"
        find "$folder" -mindepth 1 -delete
        cp -a "$keep/." "$folder"
        rm -rf "$keep"
        ;;
esac
