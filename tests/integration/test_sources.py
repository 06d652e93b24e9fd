"""The S3 source against a real server that speaks its protocol: changes, versions, refusals."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hansard.sources import (
    SourceChanged,
    SourceMissing,
    check_reference,
    fetch,
    open_source,
    reference,
)
from hansard.sources.libraries import require

PASSWORD = "hunter2"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of a real S3-speaking server, with its address as `meta.endpoint_url`."""
    server = require("moto.server").ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = require("boto3").client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key=PASSWORD,
    )
    try:
        yield client
    finally:
        client.close()
        server.stop()


@pytest.fixture
def bucket(s3: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket, the server's address and the credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PASSWORD)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.meta.endpoint_url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


def put(s3: Any, bucket: str, **objects: bytes) -> None:
    for key, content in objects.items():
        s3.put_object(Bucket=bucket, Key=key.replace("__", "/"), Body=content)


def test_the_objects_below_a_prefix_are_fetched(
    s3: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hansard.sources.fetching.PART_BYTES", 300_000)
    large = bytes(range(256)) * 4_000
    put(s3, bucket, data__a=b"a", data__b__c=large, data__b__=b"", data__e=b"", database=b"other")
    entries = fetch(open_source(f"s3://{bucket}/data"), tmp_path / "copy")
    assert [(entry.path, entry.size) for entry in entries] == [
        ("a", 1),
        ("b/c", len(large)),
        ("e", 0),
    ]
    assert (tmp_path / "copy/b/c").read_bytes() == large
    source = open_source(f"s3://{bucket}/data/b/c")
    assert [entry.path for entry in source.list()] == ["c"]
    assert b"".join(source.open("c", 10, 20)) == large[10:30]
    assert b"".join(source.open("c", len(large) - 5)) == large[-5:]


def test_an_object_that_was_replaced_after_listing_is_noticed(s3: Any, bucket: str) -> None:
    put(s3, bucket, a=b"first")
    source = open_source(f"s3://{bucket}")
    source.list()
    put(s3, bucket, a=b"other")
    with pytest.raises(SourceChanged):
        list(source.open("a"))
    s3.delete_object(Bucket=bucket, Key="a")
    with pytest.raises(SourceChanged):
        list(source.open("a"))


def test_a_bucket_with_versions_gives_the_version_that_was_listed(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(s3, bucket, a=b"first", b=b"b")
    source = open_source(f"s3://{bucket}")
    found = source.fingerprint()
    assert found["reproducible"] is True
    assert all("version:" in entry["fingerprint"] for entry in found["entries"])
    put(s3, bucket, a=b"other")
    assert b"".join(source.open("a")) == b"first"
    with pytest.raises(SourceChanged, match="changed: `a`"):
        check_reference({**found, "mode": "reference"}, open_source(f"s3://{bucket}"))


def test_s3_refusals_are_plain_and_hold_no_secret(s3: Any, bucket: str) -> None:
    source = open_source(f"s3://{bucket}/nothing")
    with pytest.raises(SourceMissing) as caught:
        source.list()
    nowhere = open_source("s3://no-such-bucket-anywhere")
    with pytest.raises(SourceMissing, match="no such bucket"):
        nowhere.list()
    put(s3, bucket, a=b"first")
    document = reference(open_source(f"s3://{bucket}"))
    assert document["reproducible"] is False
    for text in (str(caught.value), repr(source), json.dumps(document)):
        assert PASSWORD not in text
        assert s3.meta.endpoint_url not in text


def test_s3_credentials_may_be_given_and_an_unsafe_key_is_refused(
    s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    put(s3, bucket, **{"a\\b": b"first"})
    source = open_source(
        f"s3://{bucket}",
        endpoint=s3.meta.endpoint_url,
        allow_private=True,
        credentials={"access_key_id": "key", "secret_access_key": PASSWORD},
    )
    with pytest.raises(Exception, match="cannot be kept"):
        source.list()
