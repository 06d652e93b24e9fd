"""Hash chain of an aggregate: each event's hash covers the one before it."""

from hashlib import sha256

GENESIS = ""


def chain_hash(previous: str, subject: str, topic: str, payload: bytes) -> str:
    """SHA-256, in hex, over the previous hash, the place, the topic and the payload.

    Neither a hash, a subject nor a topic can contain a line break, so the join is unambiguous.
    """
    return sha256(f"{previous}\n{subject}\n{topic}\n".encode() + payload).hexdigest()
