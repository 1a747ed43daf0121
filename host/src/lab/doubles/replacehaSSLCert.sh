#!/bin/sh
# Double of the product's replacehaSSLCert.sh: issues this node's HA certificate from the root in certHA.
# How the product stores the key's password is not public: .ha_pass is invented, as are failure texts.
. "${BIGDATA_HOME:?is not set: log in as the service user}/.windlass-lab/common.sh"
umask 0077
begin replacehaSSLCert
success="[INFO] Succeed to replace ha ssl cert."

ask "Please input ha ssl cert password:"

hang_if_told
if on lying-success; then finish "$success"; fi

cd "$cert_ha" || fail "Cannot enter $cert_ha"
pass openssl pkey -in root-ca.pem -passin stdin -noout 2>/dev/null ||
    fail "The password does not open $cert_ha/root-ca.pem."

# Everything is made under other names first: a full disk or a wrong root leaves the old certificate whole.
trap 'rm -f server.pem.new server.crt.new server.csr.new server.ext.new .ha_pass.new' EXIT
host=$(hostname 2>/dev/null || uname -n)
pass openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -aes-256-cbc -pass stdin \
    -out server.pem.new 2>/dev/null || fail "Failed to generate the key of the HA certificate in $cert_ha."
pass openssl req -new -sha256 -key server.pem.new -passin stdin -subj "/O=OMS/CN=$host" \
    -out server.csr.new || fail "Failed to request the HA certificate."
cat >server.ext.new <<X || fail "Failed to write in $cert_ha."
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=DNS:$host
X
pass openssl x509 -req -sha256 -days 3650 -in server.csr.new -CA root-ca.crt -CAkey root-ca.pem -passin stdin \
    -CAserial root-ca.srl -CAcreateserial -extfile server.ext.new -out server.crt.new 2>/dev/null ||
    fail "root-ca.crt and root-ca.pem in $cert_ha could not issue the HA certificate."
openssl verify -CAfile root-ca.crt server.crt.new >/dev/null 2>&1 ||
    fail "The HA certificate does not verify against $cert_ha/root-ca.crt."
printf '%s' "$password" >.ha_pass.new && [ -s .ha_pass.new ] || fail "Failed to write in $cert_ha."

for file in server.crt server.pem server.key; do
    if [ -e "$file" ]; then cp -p "$file" "$file.old" || fail "Failed to write in $cert_ha."; fi
done
cp -p server.pem.new server.key && mv server.pem.new server.pem && mv .ha_pass.new .ha_pass &&
    mv server.crt.new server.crt && mv server.csr.new server.csr || fail "Failed to write in $cert_ha."
for file in root-ca.crt server.crt server.key server.pem server.csr; do
    cp -p "$file" "$local_cert/$file" || fail "Failed to write in $local_cert."
done
finish "$success"
