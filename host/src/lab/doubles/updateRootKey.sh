#!/bin/sh
# Double of the product's updateRootKey.sh: makes a new root key the primary of the cluster's key set, keeps every
# older one, and has the set sent to the other nodes. Public are its question and the steps 4-1 and 4-4; the other
# steps, failure texts and exit codes are invented, as is the form of the key set.
. "${BIGDATA_HOME:?is not set: log in as the service user}/.windlass-lab/common.sh"
umask 0077
begin updateRootKey
keyset=$om/security/keyset.json
success="Step 4-4: The root key is sent successfully."

step() {
    printf 'Step %s: %s\n' "$1" "$2"
}

printf 'The root key update is a critical operation.\n'
prompt 'Do you want to continue?(y/n):' 'Are you sure?(yes/no):'
IFS= read -r answer || :
# A terminal shows the line break that was typed.
if [ ! -t 0 ]; then printf '\n'; fi
if [ "$answer" != y ]; then
    printf 'The root key update is cancelled.\n'
    leave
fi
if on key-dies-after-y; then kill -9 $$; fi
hang_if_told

step 1 "The environment is checked successfully."
if on lying-success; then
    step 4-1 "The key save path is obtained successfully."
    finish "$success"
fi

# No value of a key set has a blank or a bracket in it, so it may have been written in any way.
set=$(tr -d ' \n\r\t' <"$keyset") && [ -n "$set" ] || fail "The root key in $keyset cannot be read."
keys=${set#*\"key\":\[}
keys=${keys%]*}
case $set$keys in
\{*\"key\":\[\{*\}\]*\}\{*\}) ;;
*) fail "The root key in $keyset is in an unknown form." ;;
esac
number=0
while [ "$number" = 0 ]; do
    number=$((0x$(openssl rand -hex 4))) || fail "No root key could be generated."
    case $keys in
    *\"keyId\":$number[,\}]*) number=0 ;;
    esac
done
# A protocol buffer of one field: the 32 bytes of the key. No secret stands in an argument list.
value=$({ printf '\032\040' && openssl rand 32; } | openssl base64 -A) && [ ${#value} = 48 ] ||
    fail "No root key could be generated."
step 2 "The root key is generated successfully."

new=$keyset.new
trap 'rm -f "$new"' EXIT
printf '{"primaryKeyId":%s,"key":[%s,{"keyData":{"typeUrl":"%s","value":"%s","keyMaterialType":"SYMMETRIC"},"status":"ENABLED","keyId":%s,"outputPrefixType":"TINK"}]}' \
    "$number" "$keys" type.googleapis.com/google.crypto.tink.AesGcmKey "$value" "$number" >"$new" &&
    mv "$new" "$keyset" || fail "Failed to write $keyset."
step 3 "The root key of this node is updated successfully."

step 4-1 "The key save path is obtained successfully."
step 4-2 "The nodes that the root key is sent to are obtained successfully."
step 4-3 "The root key is ready to be sent."
if on key-stops-at-4-3; then fail "The root key could not be sent."; fi

# The practice cluster itself carries it, and answers with the names of the nodes that it could not be sent to.
answer=$lab/key-sent.$$
rm -f "$answer"
printf '%s\n' $$ >"$lab/send-key.new" && mv "$lab/send-key.new" "$lab/send-key" || fail "Failed to write in $lab."
waited=0
while [ ! -e "$answer" ]; do
    waited=$((waited + 1))
    [ $waited -lt 1200 ] || fail "The root key could not be sent."
    sleep 0.05
done
missed=
while IFS= read -r node; do
    printf '[ERROR] The root key could not be sent to %s.\n' "$node" >&2
    missed=yes
done <"$answer"
rm -f "$answer"
if [ -n "$missed" ]; then leave; fi
finish "$success"
