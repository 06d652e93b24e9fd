"""Three people share two slots: quotas, a guaranteed share taken back, refusals with reasons."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import hansard
from hansard.client_errors import Forbidden, Invalid
from tests.e2e.platform import PARTS, Up, eventually, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LONG = {"points": 100_000, "pause": 0.1}
SHORT = {"points": 3}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with platform(tmp_path / "data", "local", HANSARD_SLOTS="2") as up, up.client() as client:
        client.push(PARTS / "ticker")
        client.executors.share("ticker", visibility="project")
        yield up


def person(up: Up, name: str, group: str | None = None) -> hansard.Client:
    """A client of a new contributor to the default project, in a group of that name."""
    with up.client() as admin:
        user = admin.users.create(name)
        admin.users.grant(user.id, "default", "contributor")
        if group is not None:
            admin.groups.add(group, user.id)
        token = admin.tokens.issue(user.id)
    return hansard.Client(up.url, token.token)


def status(client: hansard.Client, run: str) -> str:
    return client.runs.get(run).status


def test_three_people_share_a_node(up: Up) -> None:
    with up.client() as admin:
        for name in ("owners", "guests"):
            admin.groups.create(name)
        admin.groups.set_attributes("owners", {"share_cpus": 2})
        admin.groups.set_attributes("guests", {"quota_cpus": 2, "max_wall_time_s": 90_000})
    ada, bob, eve = person(up, "Ada", "owners"), person(up, "Bob", "guests"), person(up, "Eve")
    with ada, bob, eve:
        borrowed = [bob.run("ticker", parameters=LONG).id for _ in range(2)]
        eventually(lambda: all(map(bob.runs.metrics, borrowed)), "first metrics of both", 60)
        third = bob.run("ticker", parameters=SHORT).id
        wait = eventually(lambda: _reason(bob, third), "a reason")
        assert wait == "your group uses 2 of its 2 CPUs"
        with pytest.raises(Invalid, match="asks for 3 CPU"):
            bob.run("ticker", resources={"cpus": 3})
        with pytest.raises(Invalid, match="your group's limit is 90000"):
            bob.run("ticker", resources={"wall_time_s": 90_001})
        with pytest.raises(Forbidden, match="max_priority"):
            eve.run("ticker", priority=1)
        assert ada.wait(ada.run("ticker", parameters=SHORT), 90).status == "succeeded"
        again = {run: bob.runs.get(run) for run in borrowed}
        assert [r.status for r in again.values()].count("running") >= 1
        preempted = eventually(lambda: _second(bob, borrowed), "the second attempt", 60)
        events = up.get("/v1/events", entity=preempted)["items"]
        topics = [event["topic"] for event in events]
        assert topics.count("run.preemption_requested.v1") == 1
        assert topics.count("run.preempted.v1") == 1


def test_who_lost_the_right_while_waiting_does_not_start(up: Up) -> None:
    with up.client() as admin:
        user = admin.users.create("Eve", attributes={"max_priority": 5})
        admin.users.grant(user.id, "default", "contributor")
        token = admin.tokens.issue(user.id)
        blocker = admin.run("ticker", parameters=LONG, resources={"cpus": 2})
        with hansard.Client(up.url, token.token) as eve:
            eventually(lambda: admin.runs.metrics(blocker.id), "a first metric", 60)
            waiting = eve.run("ticker", parameters=SHORT, priority=5)
            eventually(lambda: _reason(eve, waiting.id), "a reason")
            admin.users.set_attributes(user.id, {})
            admin.runs.cancel(blocker.id)
            ended = eve.wait(waiting, 60)
    assert ended.status == "failed"
    assert ended.attempt == 0
    assert "priority-too-high" in str(ended.reason)


def _reason(client: hansard.Client, run: str) -> str | None:
    return client.why_waiting(run).reason


def _second(client: hansard.Client, runs: list[str]) -> str | None:
    return next((run for run in runs if client.runs.get(run).attempt == 2), None)
