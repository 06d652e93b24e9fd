"""Uploads through HTTP: what is refused says what and where, and leaves nothing."""

import io
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hansard.formats.manifest import MANIFEST_NAME
from tests.integration.conftest import Servers
from tests.integration.platform import Platform, running
from tests.integration.pushing import (
    NET,
    a_bundle,
    kept_files,
    manifest,
    unchanged_after,
    uploaded,
)


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


def a_tar(
    *members: tuple[str, bytes], change: Callable[[tarfile.TarInfo], None] | None = None
) -> bytes:
    """A tar with the last member changed, as no packer of ours would write it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number, (name, data) in enumerate(members, 1):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if change is not None and number == len(members):
                change(info)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


GOOD = ((MANIFEST_NAME, manifest()), ("m.py", NET))


def _type(kind: bytes) -> Callable[[tarfile.TarInfo], None]:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, "m.py", 0

    return change


REFUSED: dict[str, tuple[bytes, str, str]] = {
    "a path that climbs": (a_tar(*GOOD, ("../x.py", b"")), "unsafe_name", "../x.py"),
    "an absolute path": (a_tar(*GOOD, ("/etc/x", b"")), "unsafe_name", "/etc/x"),
    "a symbolic link": (
        a_tar(*GOOD, ("l", b""), change=_type(tarfile.SYMTYPE)),
        *("link_refused", "l"),
    ),
    "a hard link": (a_tar(*GOOD, ("l", b""), change=_type(tarfile.LNKTYPE)), "link_refused", "l"),
    "a device": (a_tar(*GOOD, ("d", b""), change=_type(tarfile.CHRTYPE)), "special_file", "d"),
    "a name twice": (a_tar(*GOOD, ("m.py", b"")), "duplicate_name", "m.py"),
    "a name that differs in case": (a_tar(*GOOD, ("M.py", b"")), "duplicate_name", "M.py"),
    "too much": (a_tar(*GOOD, ("big", bytes(33 << 20))), "bundle_too_large", ""),
    "too many": (
        a_tar(*GOOD, *((f"f{n}", b"") for n in range(2001))),
        *("too_many_files", ""),
    ),
    "a syntax error": (a_bundle(source=b"class Net:\n  def (\n"), "syntax_error", "m.py:2"),
    "no such class": (a_bundle(entry="m:Other"), "missing_entry", "m.py"),
    "no such module": (a_bundle(entry="other:Net"), "missing_entry", "other:Net"),
    "no manifest": (a_tar(("m.py", NET)), "invalid_manifest", MANIFEST_NAME),
    "a requirement by address": (
        a_tar((MANIFEST_NAME, manifest("model", "m:Net", "x @ http://a/b")), ("m.py", NET)),
        *("invalid_requirement", MANIFEST_NAME),
    ),
    "compressed": (b"\x1f\x8b\x08" + bytes(600), "not_a_tar", ""),
    "nothing": (b"", "not_a_tar", ""),
}


async def test_a_hostile_bundle_is_refused_in_words_and_nothing_is_kept(
    platform: Platform,
) -> None:
    for what, (data, reason, where) in REFUSED.items():
        post = lambda data=data: platform.http.post("/v1/bundles", content=data)  # noqa: E731
        body = await unchanged_after(platform, post, 422, "invalid-bundle")
        assert body["reason"] == reason, what
        assert (body["where"] or "").startswith(where), what
        assert body["detail"], what


@pytest.mark.parametrize(
    "source",
    [
        b"class Net:\n    a: 'Slot['\n    def __init__(self, a=b'x', b=2**70): ...\n",
        b"class Net:\n    '''doc \\0 \\ud800'''\n",
        b"class Net:\n    def __init__(self, a: '" + b"-" * 9000 + b"1'): ...\n",
        b"class Net:\n    def __init__(self, a: " + b"int | " * 3000 + b"int): ...\n",
    ],
)
async def test_odd_sources_are_taken_or_refused_and_never_our_fault(
    platform: Platform, source: bytes
) -> None:
    response = await platform.http.post("/v1/bundles", content=a_bundle(source=source))
    assert response.status_code in (201, 422), response.text


async def test_a_bundle_that_is_sent_twice_is_kept_once(platform: Platform) -> None:
    first = await platform.http.post("/v1/bundles", content=a_bundle())
    files = kept_files(platform)
    again = await platform.http.post("/v1/bundles", content=a_bundle())
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert kept_files(platform) == files
    with platform.services.files.open(first.json()["digest"]) as kept:
        assert kept.read() == a_bundle()


async def test_a_file_is_read_by_whom_its_version_is_shown_to(platform: Platform) -> None:
    bundle = a_bundle(source=NET + b"# of this test alone\n")
    body = uploaded(await platform.http.post("/v1/bundles", content=bundle))
    path = f"/v1/files/{body['bundle']}"
    assert (await platform.http.get(path)).status_code == 404  # of no version yet
    model = (await platform.http.post("/v1/models", json={"name": "readable"})).json()
    made = await platform.http.post(f"/v1/models/{model['id']}/versions", json=body)
    await platform.http.get("/v1/models", params={"min_position": made.json()["position"]})
    assert (await platform.http.get(path)).content == bundle
    stranger = await somebody(platform)
    assert (await platform.http.get(path, headers=stranger)).status_code == 404
    # To know a digest, or somebody else's receipt, is not to have the bundle.
    own = (await platform.http.post("/v1/models", json={"name": "own"}, headers=stranger)).json()
    for claimed in ({"bundle": body["bundle"]}, body):
        address = f"/v1/models/{own['id']}/versions"
        taken = await platform.http.post(address, json=claimed, headers=stranger)
        assert taken.status_code == 404
    sharing = {"visibility": "public"}
    shared = await platform.http.put(f"/v1/models/{model['id']}/sharing", json=sharing)
    await platform.http.get("/v1/models", params={"min_position": shared.json()["position"]})
    answer = await platform.http.get(path, headers=stranger)
    assert answer.content == bundle
    listed = await platform.http.get("/v1/models", headers=stranger)
    policies = (await platform.services.policies.current()).digest
    assert listed.headers["Hansard-Policies"] == policies


async def somebody(platform: Platform) -> dict[str, str]:
    """The headers of a person with no rights but everybody's."""
    user = (await platform.http.post("/v1/users", json={"name": "Somebody"})).json()
    path = f"/v1/users/{user['id']}/tokens"
    token = (await platform.http.post(path, json={"label": "test"})).json()["token"]
    return {"Authorization": f"Bearer {token}"}


async def test_a_file_with_another_digest_is_refused_and_not_kept(platform: Platform) -> None:
    put = lambda: platform.http.put(f"/v1/files/{'0' * 64}", content=b"x")  # noqa: E731
    await unchanged_after(platform, put, 422, "invalid")
