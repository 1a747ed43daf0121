# Answers questions, a JSON document a line, with Google's Tink.
import base64
import json
import sys

import tink
from tink import aead, json_proto_keyset_format, secret_key_access

aead.register()
TEMPLATES = {
    "AES256_GCM": aead.aead_key_templates.AES256_GCM,
    "AES256_GCM_RAW": aead.aead_key_templates.AES256_GCM_RAW,
}


def read(text):
    return json_proto_keyset_format.parse(text, secret_key_access.TOKEN)


def written(handle):
    return {"keyset": json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN)}


def answer(question):
    what = question["do"]
    if what == "new":
        return written(tink.new_keyset_handle(TEMPLATES[question["template"]]))
    handle = read(question["keyset"])
    if what == "rotate":
        new = json.loads(written(tink.new_keyset_handle(TEMPLATES["AES256_GCM"]))["keyset"])
        both = json.loads(question["keyset"])
        both["key"] += new["key"]
        both["primaryKeyId"] = new["primaryKeyId"]
        # Read and written by Tink, which judges it.
        return written(read(json.dumps(both)))
    primitive = handle.primitive(aead.Aead)
    name = question["name"].encode()
    if what == "seal":
        sealed = primitive.encrypt(base64.b64decode(question["value"]), name)
        return {"sealed": base64.b64encode(sealed).decode()}
    try:
        value = primitive.decrypt(base64.b64decode(question["sealed"]), name)
    except tink.TinkError as error:
        return {"error": str(error)}
    return {"value": base64.b64encode(value).decode()}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
