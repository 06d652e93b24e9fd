"""Check that an event is in a record: python check_proof.py proof.json checkpoint.txt PUBKEY.

Needs nothing but Python and `pip install cryptography`. The checkpoint and the key are those that
you trust; PUBKEY is the text that `hansard audit keys` prints.
"""

import json
import sys
from base64 import b64decode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def signed_root(note: str, pubkey: str) -> tuple[int, bytes]:
    """Size and root of a checkpoint that the key has signed."""
    name, _, key = pubkey.strip().split("+", 2)
    text, _, signed = note.rpartition("\n\n")
    verifier = Ed25519PublicKey.from_public_bytes(b64decode(key)[1:])
    for given in [line.split(" ")[2] for line in signed.splitlines() if f" {name} " in line]:
        with suppress(InvalidSignature):
            verifier.verify(b64decode(given)[4:], f"{text}\n".encode())
            return int(text.split("\n")[1]), b64decode(text.split("\n")[2])
    sys.exit("NOT PROVEN: the key has not signed the checkpoint")


def root_from(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a path of whole hashes, as many as must be, leads to (RFC 9162, 2.1.3)."""
    if size == 1 and not path:
        return leaf
    if size == 1 or not path or len(path[-1]) != 32:
        sys.exit("NOT PROVEN: the path is not one of this tree")
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return sha256(b"\1" + root_from(leaf, index, half, path[:-1]) + path[-1]).digest()
    inner = root_from(leaf, index - half, size - half, path[:-1])
    return sha256(b"\1" + path[-1] + inner).digest()


proof = json.loads(Path(sys.argv[1]).read_text())
size, root = signed_root(Path(sys.argv[2]).read_text(), sys.argv[3])
record, at, path = b64decode(proof["record"]), proof["position"], map(bytes.fromhex, proof["path"])
leaf = sha256(b"\0" + at.to_bytes(8, "big") + sha256(record).digest()).digest()
if not 0 < at <= size or root_from(leaf, at - 1, size, list(path)) != root:
    sys.exit("NOT PROVEN: the proof does not lead to the root of the checkpoint")
head, _, payload = record.decode().partition("\r\n\r\n")
print(f"proven: event {at} of {size}, {head.splitlines()[0]}\n{payload}")
