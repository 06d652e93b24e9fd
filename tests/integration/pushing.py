"""Code pushed through HTTP, and what a refusal must look like."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from hansard.formats import archive
from hansard.formats.manifest import MANIFEST_NAME, Manifest
from tests.integration.platform import Platform

NET = b"""
class Net:
    def __init__(self, width: int = 8, mode: str = "a"): ...
    def train(self, data, **options): ...
    def predict(self, inputs): ...
    def save(self, folder): ...
    def load(self, folder): ...
"""
JOB = b"""
from hansard import Predictor, Slot, Trainable
class Job:
    model: Slot[Trainable]
    spare: Slot[Predictor] | None
    def execute(self, epochs: int = 3, *, rate: float = 0.1): ...
    def predict(self, inputs): ...
"""


def a_name() -> str:
    return f"name {uuid4().hex[:10]}"


def manifest(kind: str = "model", entry: str = "m:Net", *requirements: str) -> bytes:
    return Manifest(kind, entry, "n", requirements=requirements).to_bytes()


def a_bundle(
    kind: str = "model", entry: str = "m:Net", source: bytes = NET, *requirements: str
) -> bytes:
    return archive.encode({MANIFEST_NAME: manifest(kind, entry, *requirements), "m.py": source})


def problem_of(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"urn:hansard:problem:{code}", body
    return body


async def unchanged_after(
    platform: Platform, request: Callable[[], Any], status: int, code: str
) -> dict[str, Any]:
    """The problem that a request ends in; it stored no file and no event."""
    before = (kept_files(platform), await platform.services.log.last())
    found = problem_of(await request(), status, code)
    assert (kept_files(platform), await platform.services.log.last()) == before
    return found


def kept_files(platform: Platform) -> set[Path]:
    return {path for path in platform.settings.files.rglob("*") if path.is_file()}


def uploaded(answer: httpx.Response) -> dict[str, str]:
    """The body that makes an uploaded bundle a version."""
    kept = answer.json()
    return {"bundle": kept["digest"], "receipt": kept["receipt"]}


class Pushed:
    """An executor and a model on the platform, and requests for runs of them."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.http = platform.http
        self.ids: dict[str, str] = {}

    async def push(self, kind: str, path: str, bundle: bytes) -> httpx.Response:
        body = uploaded(await self.http.post("/v1/bundles", content=bundle))
        made = (await self.http.post(f"/v1/{path}", json={"name": a_name()})).json()
        self.ids[kind] = made["id"]
        address = f"/v1/{path}/{made['id']}/versions"
        return await self.http.post(address, json=body)

    async def everything(self) -> None:
        job = a_bundle("executor", "m:Job", JOB)
        for kind, path, bundle in (("job", "executors", job), ("net", "models", a_bundle())):
            response = await self.push(kind, path, bundle)
            assert response.status_code == 201, response.text
            self.ids[f"{kind} version"] = response.json()["id"]
        made = await self.http.post("/v1/experiments", json={"name": a_name()})
        self.ids["experiment"] = made.json()["id"]

    def body(self, **changed: Any) -> dict[str, Any]:
        asked = {
            "experiment": self.ids["experiment"],
            "executor": self.ids["job"],
            "slots": {"model": {"version": self.ids["net"], "keep": True}},
        }
        return asked | changed

    async def run(self, **changed: Any) -> httpx.Response:
        return await self.http.post("/v1/runs", json=self.body(**changed))
