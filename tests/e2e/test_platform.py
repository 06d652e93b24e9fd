"""The platform as a whole: servers of one's own, a rival dispatcher, what a run leaves behind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hansard.client_errors import Invalid
from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.postgres import PostgresServer
from tests.e2e.platform import PARTS, Up, eventually, platform
from tests.integration.levels import STRONGEST

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with platform(tmp_path / "data", "local") as up, up.client() as client:
        client.push(PARTS / "ticker")
        yield up


def test_a_run_leaves_its_recipe_results_params_and_texts(up: Up) -> None:
    with up.client() as client:
        run = client.wait(client.run("ticker", parameters={"points": 5}), timeout_s=30)
    row = up.get(f"/v1/runs/{run.id}")
    assert row["status"] == "succeeded"
    assert row["sandbox"] == STRONGEST
    assert row["results"] == {"points": 5}
    assert row["logged"]["params"] == {"points": 5}
    assert row["logged"]["texts"][0]["text"] == "so it begins"
    assert row["facts"]["seed"] == row["seed"]
    assert row["metric_points"] == 10
    assert len(row["series_root"]) == 64


def test_a_second_dispatcher_waits_and_takes_over(up: Up) -> None:
    environment = json.loads((up.folder / "server.json").read_text())
    rival = subprocess.Popen(
        [sys.executable, "-m", "workers.main"],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        with up.client() as client:
            run = client.run("ticker", parameters={"points": 300})
            eventually(lambda: client.runs.metrics(run.id), "the first metric")
            up.find("workers.main").kill()
            run = client.wait(run, timeout_s=40)
            assert (run.status, run.attempt) == ("succeeded", 1)
            after = client.wait(client.run("ticker", parameters={"points": 5}), timeout_s=40)
            assert after.status == "succeeded"
    finally:
        rival.terminate()
        rival.wait(20)


def test_servers_of_ones_own_are_used_as_they_are(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "servers") as folder:
        nats, postgres = NatsServer(folder), PostgresServer(folder)
        nats.start()
        postgres.start()
        try:
            addresses = {
                "HANSARD_NATS_URL": nats.url("writer"),
                "HANSARD_NATS_ADMIN_URL": nats.url("admin"),
                "HANSARD_NATS_READER_URL": nats.url("reader"),
                "HANSARD_NATS_TELEMETRY_URL": nats.url("telemetry"),
                "HANSARD_POSTGRES_URL": postgres.url(),
            }
            with platform(tmp_path / "data", "local", **addresses) as up, up.client() as client:
                client.push(PARTS / "ticker")
                run = client.wait(client.run("ticker", parameters={"points": 5}), timeout_s=30)
                assert run.status == "succeeded"
                names = {name for process in up.processes() for name in [process.name()]}
                assert not names & {"nats-server", "postgres"}
        finally:
            postgres.stop()
            nats.stop()


def test_a_gpu_is_refused_at_once_where_there_is_none(up: Up) -> None:
    with up.client() as client, pytest.raises(Invalid) as refused:
        client.run("ticker", resources={"gpus": 1})
    assert "GPU" in str(refused.value)


def test_what_was_recorded_is_signed_proven_and_verified_where_nothing_runs(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "kept"
    with platform(tmp_path / "data", "local", HANSARD_AUDIT_OUTLETS=str(kept)) as up:
        first = up.command("audit", "checkpoint")
        (key, newer) = up.command("audit", "keys", "--rotate")["items"]
        event = up.get("/v1/events", limit=1, after=2)["items"][0]
        name, file = f"{event['entity']}:{event['version']}", tmp_path / "proof.json"
        proof = up.command("audit", "prove", name, "-o", str(file))
        assert (proof["position"], proof["size"] <= first["size"]) == (event["position"], True)
        assert up.get(f"/v1/events/{event['position']}/proof") == json.loads(file.read_text())
        with up.client() as client:
            person = client.users.create("Ada Lovelace")
            client.users.disable(person.id)
            erased = client.users.erase(person.id, "asked for it")
            assert (erased.name, erased.erased) == (None, True)
        eventually(lambda: len(list(kept.glob("checkpoints/*.txt"))) >= 2, "checkpoints elsewhere")
    checkpoint = str(max(kept.glob("checkpoints/*.txt")))
    verified = up.command("audit", "verify", "--checkpoint", checkpoint, "--key", key)
    assert (verified["intact"], verified["keys"]) == (True, [key, newer])
    assert verified["events"] >= verified["covered"] >= first["size"]
    assert up.command("audit", "checkpoints")["items"][-1]["size"] == verified["covered"]
