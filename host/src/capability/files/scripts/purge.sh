argument; run=$value
folder=$HOME/.windlass/runs/$run
for part in saved swaps marks mirror mirror.was; do
    erase "$folder/$part"
done
# Another room's records may lie there too; then the folder stays.
rmdir "$folder" 2>/dev/null
echo ok
