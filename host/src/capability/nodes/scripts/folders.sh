# Says of each folder, a line each, whether it is there. A folder that may not be entered is there all the same.
while IFS= read -r folder; do
    if [ -d "$folder" ]; then echo yes; else echo no; fi
done
