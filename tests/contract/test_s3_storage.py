"""What is particular to packs and files on S3."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.artifacts.storage import StorageFailed, open_storage
from infra.file_store import open_files
from tests.contract.s3_server import a_place, s3_server

CONTENT = os.urandom(300_000)


@pytest.fixture(scope="module")
def s3_variables() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


@pytest.fixture
def s3_url(s3_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    return a_place(s3_variables, monkeypatch)


def test_files_on_s3_lie_below_files_and_their_spool_is_emptied(
    s3_url: str, tmp_path: Path
) -> None:
    digest, _ = open_files(s3_url, tmp_path).put([b"x"])
    keys = [key for key, _, _ in list(open_storage(s3_url, tmp_path).keys())]
    assert keys == [f"files/{digest[:2]}/{digest}"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_presigned_address_is_open_to_anybody_and_only_s3_has_one(
    s3_url: str, tmp_path: Path
) -> None:
    storage = open_storage(s3_url, tmp_path)
    storage.put("packs/ab/1", [CONTENT])
    address = storage.presigned("packs/ab/1", 60)
    assert address is not None
    assert "X-Amz-Expires=60" in address
    assert "secret" not in address
    assert httpx.get(address).content == CONTENT
    local = open_storage("", tmp_path)
    local.put("packs/ab/1", [CONTENT])
    assert local.presigned("packs/ab/1", 60) is None


def test_a_bucket_that_does_not_exist_is_told_at_once(s3_url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="bucket"):
        open_storage("s3://another-bucket/x", tmp_path)


def test_a_server_that_is_gone_is_a_failure_and_not_a_missing_content(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with s3_server() as variables:
        storage = open_storage(a_place(variables, monkeypatch), tmp_path)
        storage.put("packs/ab/1", [CONTENT])
    with pytest.raises(StorageFailed, match="packs/ab/1"):
        storage.size("packs/ab/1")


@pytest.mark.parametrize(
    "url",
    [
        "gs://bucket/x",
        "s3://",
        "s3://bucket/../x",
        "s3://key:secret@bucket/x",
        "s3://bucket/x?region=a",
        "file://relative",
        "https://bucket.example.org/x",
    ],
)
def test_an_address_of_no_known_kind_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        open_storage(url, tmp_path)
