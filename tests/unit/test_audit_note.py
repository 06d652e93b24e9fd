"""Notes and keys: the forms of C2SP signed-note, and nothing that only looks like them."""

from datetime import UTC, datetime

import pytest

from infra.audit.checkpoint import FIRST, Checkpoint, SignedCheckpoint
from infra.audit.note import Note, PrivateKey, PublicKey, signed_note
from tests.unit.audit_box import KEY, OTHER

# Published with the Go package golang.org/x/mod/sumdb/note: another program made key and signature.
EXAMPLE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
EXAMPLE_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqd"
    "ngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_that_another_program_signed_is_read_and_checked() -> None:
    key = PublicKey.parse(EXAMPLE_KEY)
    assert str(key) == EXAMPLE_KEY
    note = Note.parse(EXAMPLE_NOTE)
    assert str(note) == EXAMPLE_NOTE
    assert note.is_signed_by(key)
    assert not Note(note.text.replace("your", "my"), note.signatures).is_signed_by(key)
    assert not note.is_signed_by(KEY.public)


def test_a_key_is_the_same_again_from_its_text_and_shows_itself_to_nobody() -> None:
    assert PrivateKey.parse(KEY.secret_text()) == KEY
    assert PublicKey.parse(f"{KEY.public}\n") == KEY.public
    assert "AQAAAA" in KEY.secret_text()
    assert "AAAA" not in repr(KEY) + str(KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AAAA",
        EXAMPLE_KEY.replace("c74f20a3", "c74f20a4"),
        EXAMPLE_KEY.replace("Peter", "Pe ter"),
        EXAMPLE_KEY + "A",
        EXAMPLE_KEY.replace("ARpc", "AZZZ!"),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        PublicKey.parse(text)


def test_a_checkpoint_is_the_same_again_from_its_note() -> None:
    time = datetime(2026, 7, 1, 12, tzinfo=UTC)
    said = Checkpoint("hansard/box", 12, b"\1" * 32, time, FIRST, KEY.public)
    signed = said.signed(KEY, OTHER)
    again = SignedCheckpoint.parse(str(signed.note))
    assert (again, again.digest) == (signed, signed.digest)
    assert all(again.note.is_signed_by(key.public) for key in (KEY, OTHER))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n12\n", "\n012\n"),
        ("\n12\n", "\n-12\n"),
        ("\n12\n", "\n" + "9" * 17 + "\n"),
        ("\nAQEB", "\nAQE"),
        ("2026-07", "2026-13"),
        ("previous none\n", ""),
        ("previous none\n", "previous none\nmore lines\n"),
        ("hansard/box\n", "hansard box\n"),
    ],
)
def test_what_is_no_checkpoint_is_refused(old: str, new: str) -> None:
    time = datetime(2026, 7, 1, 12, tzinfo=UTC)
    text = Checkpoint("hansard/box", 12, b"\1" * 32, time, FIRST).text()
    assert old in text
    with pytest.raises(ValueError):
        SignedCheckpoint.parse(str(signed_note(text.replace(old, new, 1), [KEY])))


@pytest.mark.parametrize(
    "text",
    [
        "no signatures\n",
        "text\n\n",
        "text\n\nnot a signature\n",
        "text\n\n\u2014 name ???\n",
        "text\n\n" + "\u2014 name AAAA\n" * 17,
        "x" * 70_000 + "\n\n\u2014 name AAAA\n",
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Note.parse(text)
