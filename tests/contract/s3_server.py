"""A real server that speaks S3, in this process, with a bucket to fill."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest
from moto.server import ThreadedMotoServer

_BUCKET = "kept"


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """A running server; the environment variables with which its bucket is reached."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it says each request otherwise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        httpx.put(f"{address}/{_BUCKET}").raise_for_status()
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }
    finally:
        server.stop()


def a_place(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty place in the bucket, reached with the variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return f"s3://{_BUCKET}/{uuid4().hex}"
