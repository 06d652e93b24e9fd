"""Secrets that open something: what they look like, and which is taken for what."""

import pytest

from hansard.formats.ids import new_id
from infra.secret_digest import make_bearer, read_bearer, read_invitation, secret_digest

KINDS = ("token", "run", "invitation")


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_is_read_as_it_was_made(kind: str) -> None:
    id_ = new_id(kind)
    read = read_invitation if kind == "invitation" else read_bearer
    found = read(make_bearer(id_))
    assert found is not None
    assert (found.kind, found.id) == (kind, id_)
    assert found.matches(secret_digest(found.secret))
    assert not found.matches(secret_digest(found.secret + "x"))


def test_an_invitation_is_no_token_and_a_token_no_invitation() -> None:
    assert read_bearer(make_bearer(new_id("invitation"))) is None
    assert read_invitation(make_bearer(new_id("token"))) is None
    assert read_invitation(make_bearer(new_id("run"))) is None


@pytest.mark.parametrize("text", ["", "hsi_", "hsx_" + "0" * 32 + "_" + "x" * 40, "hsi_0_secret"])
def test_other_text_is_neither(text: str) -> None:
    assert (read_bearer(text), read_invitation(text)) == (None, None)
