"""A second machine joins: another raylet with its own folder and fake GPUs, on this machine."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from hansard.client import Client
from tests.e2e.platform import PARTS, Up, alive_of, eventually, hansard_command, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GPUS = 2


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("head") / "d"
    with platform(folder, "ray", HANSARD_CLUSTER="127.0.0.1") as up, up.client() as client:
        client.push(PARTS / "ticker")
        yield up


@contextmanager
def joined(up: Up, folder: Path, token: str, name: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`hansard node join` in a process of its own."""
    folder.mkdir(parents=True)
    variables = {
        "HANSARD_JOIN_TOKEN": token,
        "HANSARD_GPUS": str(GPUS),
        "HANSARD_SLOTS": "1",
        "HANSARD_NODE_LABELS": "rack=fake",
    }
    with (folder / "join.log").open("wb") as log:
        process = subprocess.Popen(
            [hansard_command(), "node", "join", up.url, "--name", name, "--data-dir", str(folder)],
            env={**os.environ, **variables},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    started: list[psutil.Process] = []
    try:
        eventually(lambda: present(up, name), f"node {name}; see {folder}/join.log", 120)
        started = psutil.Process(process.pid).children(recursive=True)
        yield process
    finally:
        process.terminate()
        process.wait(60)
    eventually(lambda: not alive_of(started), "the end of the node's processes", 30)


def present(up: Up, name: str) -> bool:
    with up.client() as client:
        return any(node.name == name and node.present for node in client.nodes.list())


def a_token(client: Client) -> str:
    return client.nodes.issue_token(expires_in=timedelta(hours=1)).token


def refusal(up: Up, folder: Path, token: str, name: str = "second") -> str:
    """What `hansard node join` says when it ends at once."""
    done = subprocess.run(
        [hansard_command(), "node", "join", up.url, "--name", name, "--data-dir", str(folder)],
        input=token.encode() + b"\n",
        capture_output=True,
        check=False,
        timeout=60,
        env={k: v for k, v in os.environ.items() if k != "HANSARD_JOIN_TOKEN"},
    )
    assert done.returncode == 1
    return done.stderr.decode().splitlines()[-1]


def test_a_run_that_asks_for_gpus_lands_on_the_node_that_has_them_and_survives_it(
    up: Up, tmp_path: Path
) -> None:
    with up.client() as client:
        token = a_token(client)
        asked = {"gpus": 1}
        with joined(up, tmp_path / "n", token, "second") as process:
            (node,) = [node for node in client.nodes.list() if node.name == "second"]
            assert (node.gpus, node.cpus, node.labels) == (GPUS, 1, {"rack": "fake"})
            short = client.run("ticker", parameters={"points": 5}, resources=asked)
            short = client.wait(short, timeout_s=180)
            assert (short.status, short.node) == ("succeeded", "second"), short.reason
            local = client.wait(client.run("ticker", parameters={"points": 5}), timeout_s=120)
            assert local.status == "succeeded"

            run = client.run("ticker", parameters={"points": 400, "pause": 0.05}, resources=asked)
            eventually(lambda: client.runs.metrics(run.id), "the first metric", 120)
            whole = psutil.Process(process.pid)
            for each in (*whole.children(recursive=True), whole):
                each.kill()
            process.wait()
        with joined(up, tmp_path / "m", token, "third"):
            run = client.wait(run, timeout_s=240)
        assert (run.status, run.node) == ("succeeded", "third"), run.reason
        assert run.attempt >= 2  # more, where one was placed before the silence was noticed
        topics = [e["topic"] for e in up.get("/v1/events", entity=run.id, limit=500)["items"]]
        assert "run.attempt_lost.v1" in topics


def test_only_a_good_token_and_a_free_name_are_let_in(up: Up, tmp_path: Path) -> None:
    with up.client() as client:
        issued = client.nodes.issue_token()
        assert "is there already" in refusal(up, tmp_path / "a", issued.token, "local")
        assert "refuses this node" in refusal(up, tmp_path / "b", issued.token, "No_Name")
        client.tokens.revoke(issued.id)
        short = client.nodes.issue_token(expires_in=timedelta(seconds=1))
        eventually(lambda: _expired(up, short.token), "the token's end", 10)
        for token in (issued.token, short.token, "wrong"):
            assert "wrong, expired or revoked" in refusal(up, tmp_path / "c", token)
        assert "no join token" in refusal(up, tmp_path / "c", "")
        assert "scope" in refusal(up, tmp_path / "d", up.token)


def test_a_join_token_opens_nothing_else(up: Up) -> None:
    with up.client() as client:
        token = a_token(client)
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/v1/runs", "/v1/nodes", "/v1/tokens", "/v1/events"):
        assert httpx.get(f"{up.url}{path}", headers=headers).status_code == 403
    made = httpx.post(f"{up.url}/v1/nodes/tokens", json={}, headers=headers)
    assert made.status_code == 403


def _expired(up: Up, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{up.url}/v1/users/me", headers=headers).status_code == 401
