"""The OpenAPI document describes what the API does: every operation, parameter and its rights."""

from pathlib import Path

from tests.integration.conftest import Servers
from tests.integration.platform import running

OPEN = {
    *(("get", path) for path in ("/healthz", "/readyz", "/metrics")),
    *(("post", path) for path in ("/v1/session", "/v1/invitations/join")),
}
NOUNS = {
    *("experiments", "runs", "executors", "models", "dataset-loaders", "projects", "users"),
    *("events", "live", "files", "bundles", "versions", "tokens", "groups", "invitations"),
    *("policies", "decisions", "session", "nodes"),
    *("datasets", "lineage", "artifacts", "uploads", "launch", "run-groups", "pools", "queue"),
    "secrets",
    "nodes",
}


async def test_every_operation_is_described_and_asks_for_a_token(
    servers: Servers, tmp_path: Path
) -> None:
    async with running(servers, tmp_path) as platform:
        document = (await platform.http.get("/v1/openapi.json")).json()
    paths = {path for path in document["paths"] if path.startswith("/v1/")}
    assert {path.split("/")[2] for path in paths} == NOUNS
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            assert operation["description"], f"{verb} {path}"
            assert bool(operation.get("security")) == ((verb, path) not in OPEN), f"{verb} {path}"
