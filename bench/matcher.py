"""Matching of signatures: one match, one class read, a page of candidates of 100,000 versions."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx

from bench.figure import Figure
from bench.machine import scratch_folder
from bench.matcher_rows import EXECUTOR, fill_versions, signatures
from bench.platform import Platform, running_platform
from domain.signatures.extraction import extract, roles_of
from domain.signatures.matching import Offer, match
from domain.signatures.slots import Role
from domain.signatures.sources import Sources
from hansard.formats import archive
from hansard.formats.manifest import Manifest
from infra.database import connect
from infra.shipped_roles import sdk_sources
from projections.rebuild import LIVE

_EXAMPLES = Path(__file__).parents[1] / "examples" / "digits"
_ENTRIES = (
    ("model", "convnet", "ConvNet", "model"),
    ("loader", "digits", "Digits", "loader"),
    ("executor", "training", "TrainClassifier", "executor"),
)
_ROUNDS = 30
_VERSIONS = 100_000


def run() -> Iterator[Figure]:
    """The figures of `matcher`."""
    yield _match_us()
    yield _extract_ms()
    yield _candidates_ms()


def _match_us() -> Figure:
    """Every role of the SDK against every kind of candidate; the mean over the pairs."""
    roles = list(roles_of(sdk_sources(), "hansard.roles").values())
    pairs = [
        (role, Offer.of(each)) for role in roles for each in (*_read(_folders()), *signatures(20))
    ]
    taken = _median_s(lambda: _match_all(pairs)) / len(pairs)
    verdicts = [match([role], offer).verdict for role, offer in pairs]
    counted = ", ".join(f"{verdicts.count(v)} {v}" for v in ("fits", "unchecked", "refused"))
    return Figure("matcher.match_us", taken * 1e6, "us", _ROUNDS, note=f"mean of {counted}")


def _match_all(pairs: Sequence[tuple[Role, Offer]]) -> None:
    for role, offer in pairs:
        match([role], offer)


def _extract_ms() -> Figure:
    """The example's three classes, from bytes to signature; the SDK is parsed before."""
    folders = _folders()
    taken = _median_s(lambda: _read(folders)) / len(_ENTRIES)
    note = "mean of an executor, a model and a loader, parsing included"
    return Figure("matcher.extract_ms", taken * 1e3, "ms", _ROUNDS, note=note)


def _read(folders: Sequence[dict[str, bytes]]) -> list[dict[str, Any]]:
    return [
        extract(Sources(files, sdk_sources()), f"{module}:{name}", kind)
        for files, (_, module, name, kind) in zip(folders, _ENTRIES, strict=True)
    ]


def _folders() -> list[dict[str, bytes]]:
    return [
        {path.name: path.read_bytes() for path in (_EXAMPLES / folder).glob("*.py")}
        for folder, *_ in _ENTRIES
    ]


def _candidates_ms() -> Figure:
    """The first 50 candidates of a slot that one in fifty fits, by somebody in no group."""
    with scratch_folder() as scratch, running_platform(scratch / "data", "local") as platform:
        url = json.loads((scratch / "data" / "server.json").read_text())["HANSARD_POSTGRES_URL"]
        executor = _executor(platform)
        with connect(url, LIVE) as connection:
            fitting = fill_versions(connection, _VERSIONS)
        reader = _reader(platform)
        path = f"/v1/executors/{executor}/slots/part/candidates"

        def page() -> None:
            answer = reader.get(path).raise_for_status().json()
            assert len(answer["items"]) == 50
            assert {item["verdict"] for item in answer["items"]} == {"fits"}

        taken = _median_s(page)
    note = f"50 of {fitting} that fit, of {_VERSIONS}; a twentieth of all are public"
    return Figure("matcher.candidates_100k_ms", taken * 1e3, "ms", _ROUNDS, note=note)


def _executor(platform: Platform) -> str:
    """The id of a published executor that everybody sees."""
    folder = {"hansard.json": Manifest("executor", "m:Prune", "prune").to_bytes(), "m.py": EXECUTOR}
    kept = platform.http.post("/v1/bundles", content=archive.encode(folder)).raise_for_status()
    id_ = str(platform.http.post("/v1/executors", json={"name": "prune"}).json()["id"])
    body = {"bundle": kept.json()["digest"], "receipt": kept.json()["receipt"]}
    platform.http.post(f"/v1/executors/{id_}/versions", json=body, timeout=60).raise_for_status()
    shared = {"visibility": "public"}
    told = platform.http.put(f"/v1/executors/{id_}/sharing", json=shared).raise_for_status()
    query = {"min_position": told.json()["position"]}
    platform.http.get(f"/v1/executors/{id_}", params=query).raise_for_status()
    return id_


def _reader(platform: Platform) -> httpx.Client:
    """A client of a person who is in no group: sees what is public, and nothing else."""
    user = platform.http.post("/v1/users", json={"name": "Reader"}).raise_for_status().json()
    body = {"label": "bench", "scopes": ["read"]}
    path = f"/v1/users/{user['id']}/tokens"
    token = platform.http.post(path, json=body).raise_for_status().json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=platform.http.base_url, headers=headers)


def _median_s(action: Callable[[], object]) -> float:
    for _ in range(3):
        action()
    return median(_timed_s(action) for _ in range(_ROUNDS))


def _timed_s(action: Callable[[], object]) -> float:
    start = perf_counter()
    action()
    return perf_counter() - start
