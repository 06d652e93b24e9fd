"""Two people on one platform: sharing, denial, embargo, masking, and a live stream cut off."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import hansard
from hansard.formats.ids import new_id
from tests.e2e.platform import PARTS, Up, eventually, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MASKING = """
policy: hidden-parameters
summary: The parameters of a run are shown to who asked for it.
entity: run
actions: read
root: {combine: deny-overrides, rules: [{id: never, effect: permit, when: "False"}]}
mask: [{fields: [parameters], when: "r.obj.owner == r.sub.id"}]
"""


@dataclass(frozen=True)
class Person:
    """Somebody with a token of their own."""

    id: str
    token: str
    http: httpx.Client

    def get(self, path: str, status: int = 200, **params: Any) -> dict[str, Any]:
        return self.send("GET", path, status, params=params)

    def send(self, verb: str, path: str, status: int = 200, **asked: Any) -> dict[str, Any]:
        answer = self.http.request(verb, f"/v1{path}", **asked)
        assert answer.status_code == status, f"{verb} {path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def lists(self, path: str, **params: Any) -> list[str]:
        """Ids of a list, with everything folded that was written before."""
        return [item["id"] for item in self.get(path, **params)["items"]]

    def settled(self, answer: dict[str, Any]) -> None:
        """Wait until what was written is folded."""
        self.get("/users/me", min_position=answer["position"])
        self.get("/runs", min_position=answer["position"])


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with platform(tmp_path / "data", "local") as up:
        yield up


@pytest.fixture
def people(up: Up) -> Iterator[tuple[Person, Person, Person]]:
    """The administrator, Ann and Bob."""
    with ExitStack() as stack:

        def client(token: str) -> httpx.Client:
            headers = {"Authorization": f"Bearer {token}"}
            return stack.enter_context(httpx.Client(base_url=up.url, headers=headers, timeout=20))

        http = client(up.token)
        admin = Person(http.get("/v1/users/me").json()["id"], up.token, http)

        def person(name: str) -> Person:
            user = admin.send("POST", "/users", 201, json={"name": name})
            admin.settled(user)
            path = f"/users/{user['id']}/tokens"
            token = admin.send("POST", path, 201, json={"label": name})["token"]
            return Person(user["id"], token, client(token))

        yield admin, person("Ann"), person("Bob")


def test_two_people(up: Up, people: tuple[Person, Person, Person]) -> None:
    admin, ann, bob = people
    with hansard.Client(up.url, ann.token) as client:
        client.push(PARTS / "ticker")
        experiment = client.experiments.create("secret").id
        run = client.run("ticker", experiment="secret", parameters={"points": 5000}).id
        eventually(lambda: client.runs.metrics(run), "the first metric")
    private(ann, bob, experiment, run)
    sharing, withdrawn = shared(ann, bob, experiment, run)
    ann.settled(withdrawn)
    bob.get(f"/runs/{run}", 404)
    ann.settled(ann.send("PUT", f"/experiments/{experiment}/sharing", json=sharing))
    embargoed(ann, bob, experiment, run)
    masked(admin, ann, bob, run)
    ann.send("POST", f"/runs/{run}/cancel", 202, json={"reason": "done"})


def private(ann: Person, bob: Person, experiment: str, run: str) -> None:
    """What Ann does is hers: Bob finds nothing, not even that the name is taken."""
    assert run in ann.lists("/runs")
    for path in ("/runs", "/experiments", "/executors"):
        assert bob.lists(path) == []
    paths = [f"/runs/{run}{part}" for part in ("", "/series", "/metrics", "/logs")]
    for path in (*paths, f"/experiments/{experiment}"):
        answer = bob.get(path, 404)
        other = path.replace(run, unknown := new_id("run")).replace(experiment, unknown)
        assert shape(bob.get(other, 404)) == shape(answer)
    bob.send("POST", f"/runs/{run}/cancel", 404, json={})
    assert bob.get("/runs", count=True)["total"] == 0
    assert bob.get("/runs/facets", field="status")["items"] == []
    assert bob.get("/events", entity=run)["items"] == []
    body = {"name": "secret"}
    assert bob.send("POST", "/experiments", 201, json=body)["id"] != experiment
    bob.send("POST", "/experiments", 409, json=body)  # his own he sees


def shape(answer: dict[str, Any]) -> set[str]:
    assert answer["type"] == "urn:hansard:problem:not-found"
    return set(answer)


def shared(
    ann: Person, bob: Person, experiment: str, run: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bob sees what Ann shares, may not change it, and hears of it until she withdraws it."""
    sharing = {"visibility": "private", "users": [bob.id], "groups": []}
    ann.settled(ann.send("PUT", f"/experiments/{experiment}/sharing", json=sharing))
    assert bob.lists("/runs") == [run]
    assert bob.get(f"/runs/{run}")["parameters"]["points"] == 5000
    refused = bob.send("POST", f"/runs/{run}/cancel", 403, json={"reason": "no"})
    assert "no rule permits it" in refused["detail"]
    refused = bob.send("PUT", f"/experiments/{experiment}/sharing", 403, json=sharing)
    assert refused["action"] == "share"
    heard: list[str] = []
    withdrawn: dict[str, Any] = {}
    params = {"topics": f"experiment:{experiment}"}
    with bob.http.stream("GET", "/v1/live", params=params) as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                heard.append(line.removeprefix("event: "))
            if heard.count("metrics") == 3 and not withdrawn:
                nobody = {"visibility": "private"}
                withdrawn = ann.send("PUT", f"/experiments/{experiment}/sharing", json=nobody)
    assert heard[0] == "open"
    assert heard[-1] == "denied"
    assert heard.count("metrics") < 60  # it logs on for minutes
    return sharing, withdrawn


def embargoed(ann: Person, bob: Person, experiment: str, run: str) -> None:
    """Until an embargo ends, what is shared is hidden again; from Ann it never is."""
    assert bob.lists("/runs") == [run]
    path = f"/experiments/{experiment}/embargo"
    ann.settled(ann.send("PUT", path, json={"until": "2040-01-01T00:00:00Z"}))
    assert bob.lists("/runs") == []
    bob.get(f"/runs/{run}", 404)
    assert ann.lists("/runs") == [run]
    ann.settled(ann.send("PUT", path, json={"until": None}))
    assert bob.lists("/runs") == [run]


def masked(admin: Person, ann: Person, bob: Person, run: str) -> None:
    """A policy hides a field from Bob: he sees that it is hidden, and cannot ask about it."""
    body = {"text": MASKING, "comment": "parameters are nobody's business"}
    proposed = admin.send("POST", "/policies/hidden-parameters/proposals", 201, json=body)
    path = f"/policies/hidden-parameters/proposals/{proposed['number']}/activate"
    admin.settled(admin.send("POST", path, json={}))
    found = bob.get(f"/runs/{run}")
    assert (found["parameters"], found["masked"]) == (None, ["parameters"])
    (listed,) = bob.get("/runs")["items"]
    assert (listed["parameters"], listed["masked"]) == (None, ["parameters"])
    assert bob.lists("/runs", filter="params.points > 1") == []
    assert ann.lists("/runs", filter="params.points > 1") == [run]
    bob.get("/runs", 403, sort="params.points")
    requested = bob.get("/events", entity=run)["items"][0]
    assert requested["topic"] == "run.requested.v7"
    assert "parameters" not in requested["data"]
    assert ann.get(f"/runs/{run}")["parameters"]["points"] == 5000
