# In: RUN, ID, OFFSET, wait or look.
IFS= read -r run && IFS= read -r id && IFS= read -r offset && IFS= read -r how || exit 90
job=$base/runs/$run/jobs/$id
follow "$how"
