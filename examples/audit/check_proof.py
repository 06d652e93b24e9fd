"""Check that an event is in a record: python check_proof.py proof.json checkpoint.txt PUBKEY.

Needs nothing but Python and `pip install cryptography`. The checkpoint and the key are those that
you trust; PUBKEY is the text that `hansard audit keys` prints.
"""

import json
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def signed_root(note: str, pubkey: str) -> tuple[int, bytes]:
    """Size and root of a checkpoint that the key has signed."""
    name, _, key = pubkey.strip().split("+", 2)
    text, _, signatures = note.rpartition("\n\n")
    verifier = Ed25519PublicKey.from_public_bytes(b64decode(key)[1:])
    for line in signatures.splitlines():
        if line.split(" ")[1] == name:
            try:
                verifier.verify(b64decode(line.split(" ")[2])[4:], f"{text}\n".encode())
            except InvalidSignature:
                continue
            return int(text.split("\n")[1]), b64decode(text.split("\n")[2])
    sys.exit("NOT PROVEN: the key has not signed the checkpoint")


def root_from(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a path as long as it must be leads to (RFC 9162, 2.1.3)."""
    if size == 1 or not path:
        return leaf if size == 1 and not path else b""
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return sha256(b"\1" + root_from(leaf, index, half, path[:-1]) + path[-1]).digest()
    inner = root_from(leaf, index - half, size - half, path[:-1])
    return sha256(b"\1" + path[-1] + inner).digest()


proof = json.loads(Path(sys.argv[1]).read_text())
size, root = signed_root(Path(sys.argv[2]).read_text(), sys.argv[3])
record, position = b64decode(proof["record"]), proof["position"]
leaf = sha256(b"\0" + position.to_bytes(8, "big") + sha256(record).digest()).digest()
hashes = [bytes.fromhex(each) for each in proof["path"]]
if not 0 < position <= size or root_from(leaf, position - 1, size, hashes) != root:
    sys.exit("NOT PROVEN: the proof does not lead to the root of the checkpoint")
head, _, payload = record.decode().partition("\r\n\r\n")
print(f"proven: event {position} of {size}, {head.splitlines()[0]}\n{payload}")
