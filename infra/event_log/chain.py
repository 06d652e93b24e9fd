"""Hash chain of an aggregate: each event's hash covers the one before it."""

from hashlib import sha256

GENESIS = ""


def chain_hash(previous: str, subject: str, topic: str, payload: bytes) -> str:
    """SHA-256, in hex, over the previous hash, the place, the topic and the payload.

    Neither a hash, a subject nor a topic can contain a line break, so the join is unambiguous.
    """
    return chain_hash_of(previous.encode(), subject.encode(), topic.encode(), payload).decode()


def chain_hash_of(previous: bytes, subject: bytes, topic: bytes, payload: bytes) -> bytes:
    """`chain_hash` of texts that were not decoded."""
    joined = b"%b\n%b\n%b\n%b" % (previous, subject, topic, payload)
    return sha256(joined).hexdigest().encode()
