#!/bin/sh
# Double of the product's gen-cert.sh: makes a root CA and its key in workspace0/ha/local/cert.
# Failure texts and exit codes are invented, as is that 3.x asks for the password once: nothing public tells.
. "${BIGDATA_HOME:?is not set: log in as the service user}/.windlass-lab/common.sh"
umask 0077
begin gen-cert
success="Generate root-ca pair success."

root_ca= country= state= city= company= organize= common_name= email= password=
for argument in "$@"; do
    value=${argument#*=}
    case $argument in
        --root-ca) root_ca=yes ;;
        --country=*) country=$value ;;
        --state=*) state=$value ;;
        --city=*) city=$value ;;
        --company=*) company=$value ;;
        --organize=*) organize=$value ;;
        --common-name=*) common_name=$value ;;
        --email=*) email=$value ;;
        # 3.x asks for it instead.
        --password=*)
            [ "$product" = mrs-2 ] || fail "Unknown argument: --password"
            password=$value
            ;;
        # Names the option only: what follows the sign may be the password, misspelt.
        *) fail "Unknown argument: ${argument%%=*}" ;;
    esac
done
[ -n "$root_ca" ] || fail "Missing argument: --root-ca"
given() {
    [ -n "$2" ] || fail "Missing argument: --$1"
}
given country "$country"
given state "$state"
given city "$city"
given company "$company"
given organize "$organize"
given common-name "$common_name"
given email "$email"
if [ "$product" = mrs-2 ]; then
    given password "$password"
else
    ask "Enter pass phrase for $local_cert/root-ca.pem:"
fi

hang_if_told
if on lying-success; then finish "$success"; fi

# A slash separates and a plus joins parts of a subject: both are escaped, as is the backslash.
part() {
    printf '/%s=' "$1"
    printf %s "$2" | sed 's/[\/+\\]/\\&/g'
}
subject=$(part C "$country")$(part ST "$state")$(part L "$city")$(part O "$company")
subject=$subject$(part OU "$organize")$(part CN "$common_name")$(part emailAddress "$email")

mkdir -p "$local_cert" && cd "$local_cert" || fail "Cannot enter $local_cert"
pass openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -aes-256-cbc -pass stdin \
    -out root-ca.pem.new 2>/dev/null || fail "Failed to generate the root key in $local_cert."
pass openssl req -x509 -new -sha256 -days 3650 -key root-ca.pem.new -passin stdin -subj "$subject" \
    -out root-ca.crt.new || fail "Failed to generate the root certificate in $local_cert."

# What was there stays beside it, as the product leaves it: a glob root-ca.* finds more than the pair.
for file in root-ca.crt root-ca.pem; do
    if [ -e "$file" ]; then cp -p "$file" "$file.old"; fi
    mv "$file.new" "$file" || fail "Failed to write $local_cert/$file."
done
printf '01\n' >root-ca.srl
finish "$success"
