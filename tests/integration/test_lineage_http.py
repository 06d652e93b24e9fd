"""Lineage through HTTP: what was made from what, and how little is told of what is hidden."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain.run import Run
from hansard.formats.ids import new_id
from infra.event_store import Session
from infra.secret_digest import make_bearer, read_bearer, secret_digest
from tests.integration.artifacts import an_artifact, published, read, registered
from tests.integration.conftest import Servers
from tests.integration.governing import a_name, a_text, governed, in_force
from tests.integration.lab import CONTEXT
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform
from tests.integration.pushing import NET, Pushed, a_bundle
from tests.integration.test_run_requests_http import ended
from workers.outcomes import record

PUBLIC = {"visibility": "public"}
SUCCEEDED = {
    "state": "ended",
    "outcome": "succeeded",
    "metric_points": 0,
    "series_root": None,
    "results": {},
    "outputs": [{"slot": "model", "files": []}],
}

Edges = set[tuple[str, str, str | None]]


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


class Story:
    """The first administrator trains a model on a dataset, by a run, and publishes a quantised one.

    Names stand for ids: run -> job, net, data; kept -> run, net, data; small -> kept.
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.pushed = Pushed(platform)
        self.admin = Person(platform, "", platform.token)
        self.ids: dict[str, str] = {}

    async def happen(self) -> None:
        await self.pushed.everything()
        own = NET + f"# {uuid4().hex}".encode()  # else other tests' uses of the same would show
        assert (await self.pushed.push("net", "models", a_bundle(source=own))).status_code == 201
        dataset = await registered(self.admin, "datasets")
        data = (await published(self.admin, "datasets", dataset))["id"]
        answer = await self.pushed.run(datasets={"train": data})
        run = str(done(answer)["id"])
        await self._finish(run)
        ended = await read(self.platform, self.admin, f"/runs/{run}")
        kept = ended["outputs"][0]["version"]
        net = ended["slots"]["model"]["version"]
        model = await registered(self.admin, "models")
        small = (await published(self.admin, "models", model, parents=[kept]))["id"]
        job = self.pushed.ids["job version"]
        self.ids = {"job": job, "net": net, "data": data, "run": run, "kept": kept, "small": small}
        self.holders = {
            "net": f"/models/{self.pushed.ids['net']}",
            "job": f"/executors/{self.pushed.ids['job']}",
            "data": f"/datasets/{dataset}",
            "small": f"/models/{model}",
            "run": f"/experiments/{self.pushed.ids['experiment']}",
        }

    async def admit(self, run_id: str) -> str:
        """As the dispatcher would; answers an artifact that the attempt leaves."""
        token = make_bearer(run_id)
        bearer = read_bearer(token)
        assert bearer is not None
        digest = secret_digest(bearer.secret)

        async def command(session: Session) -> None:
            run = await session.load(Run, run_id)
            run.queue()
            run.admit(backend="local", node="local", fence=1, token_digest=digest)
            await session.save(run)

        await self.platform.services.store.run(CONTEXT, command)
        return await an_artifact(Person(self.platform, run_id, token), None)

    async def _finish(self, run_id: str) -> None:
        outputs = [{"slot": "model", "artifact": await self.admit(run_id)}]

        async def command(session: Session) -> None:
            policies = self.platform.services.policies
            await record(session, policies, run_id, 1, {**SUCCEEDED, "outputs": outputs})

        await self.platform.services.store.run(CONTEXT, command)

    async def share(self, *names: str) -> None:
        for name in names:
            done(await self.admin.call("PUT", f"{self.holders[name]}/sharing", PUBLIC))

    async def graph(self, person: Person, of: str, **asked: Any) -> dict[str, Any]:
        id_ = self.ids[of]
        return await read(self.platform, person, f"/lineage/{id_.partition('-')[0]}/{id_}", **asked)

    def named(self, graph: dict[str, Any]) -> tuple[set[str], Edges]:
        """Nodes and edges by the names of the story."""
        names = {id_: name for name, id_ in self.ids.items()}
        edges = {
            (names.get(e["from"], e["from"]), names.get(e["to"], e["to"]), e["role"])
            for e in graph["edges"]
        }
        return {names.get(node["id"], node["id"]) for node in graph["nodes"]}, edges


@pytest.fixture
async def story(platform: Platform) -> Story:
    found = Story(platform)
    await found.happen()
    return found


MADE: Edges = {
    ("run", "job", "executor"),
    ("run", "net", "slots.model"),
    ("run", "data", "datasets.train"),
    ("kept", "run", "origin.run"),
    ("kept", "net", "origin.version"),
    ("kept", "data", "data"),
    ("small", "kept", "parents"),
}


async def test_everything_that_something_was_made_from_is_found(story: Story) -> None:
    graph = await story.graph(story.admin, "small", direction="up")
    nodes, edges = story.named(graph)
    assert (nodes, edges) == (set(story.ids), MADE)
    assert not graph["truncated"]
    assert graph["position"] > 0
    by_id = {node["id"]: node for node in graph["nodes"]}
    run, net = by_id[story.ids["run"]], by_id[story.ids["net"]]
    assert (run["kind"], run["status"]) == ("run", "succeeded")
    model = await read(story.platform, story.admin, story.holders["net"])
    assert (net["kind"], net["of"]) == ("version", "model")
    assert net["label"] == f"{model['name']}:1"
    assert {"owner", "created_at"} <= net.keys()


async def test_everything_that_was_made_from_something_is_found(story: Story) -> None:
    nodes, edges = story.named(await story.graph(story.admin, "data", direction="down"))
    assert nodes == {"data", "run", "kept", "small"}
    assert edges == {e for e in MADE if e[0] in nodes and e[1] in nodes}


async def test_both_directions_meet_and_the_depth_is_kept(story: Story) -> None:
    nodes, edges = story.named(await story.graph(story.admin, "run", depth=1))
    assert nodes == {"run", "job", "net", "data", "kept"}
    assert edges == {e for e in MADE if "run" in e[:2]}
    nodes, edges = story.named(await story.graph(story.admin, "kept", depth=1, direction="down"))
    assert (nodes, edges) == ({"kept", "small"}, {("small", "kept", "parents")})


async def test_an_abstraction_stands_for_all_its_versions(story: Story) -> None:
    path = story.holders["net"].replace("/models/", "/lineage/model/")
    asked = {"direction": "down", "depth": 1}
    graph = await read(story.platform, story.admin, path, **asked)
    nodes, edges = story.named(graph)
    assert nodes == {"net", "kept", "run", "small"}
    assert ("small", "kept", "parents") in edges
    for kind, name in (("executor", "job"), ("dataset", "data")):
        path = f"/lineage/{kind}/{story.holders[name].rpartition('/')[2]}"
        assert name in story.named(await read(story.platform, story.admin, path))[0]


async def test_a_run_that_has_not_ended_is_found_too(story: Story) -> None:
    answer = done(await story.pushed.run(datasets={"test": story.ids["data"]}))
    nodes, edges = story.named(await story.graph(story.admin, "data", direction="down", depth=1))
    assert (answer["id"], "data", "datasets.test") in edges
    assert nodes == {"data", "run", "kept", answer["id"]}


async def test_what_is_hidden_has_no_name_and_nothing_is_told_of_what_lies_behind_it(
    story: Story,
) -> None:
    eve = await a_person(story.platform)
    await story.share("net", "data", "job")  # neither the run nor what was made of `kept`
    up = await story.graph(eve, "kept", direction="up")
    nodes, edges = story.named(up)
    assert nodes == {"kept", "net", "data", "hidden-1"}  # `job` lies behind the run
    told = {(made, of, role) for made, of, role in MADE if made == "kept" and of != "run"}
    assert edges == {("kept", "hidden-1", "origin.run"), *told}
    (hidden,) = (node for node in up["nodes"] if node["id"] == "hidden-1")
    assert hidden == {"id": "hidden-1", "kind": "run", "hidden": True}
    nodes, edges = story.named(await story.graph(eve, "data", direction="down"))
    assert nodes == {"data", "kept", "hidden-1", "hidden-2"}
    used = {("hidden-1", "data", None), ("kept", "data", "data"), ("hidden-2", "kept", None)}
    assert edges == used
    for name in ("run", "small"):
        id_ = story.ids[name]
        path = f"/lineage/{id_.partition('-')[0]}/{id_}"
        assert code_of(await eve.call("GET", path), 404) == "not-found"


async def test_a_hidden_node_never_joins_two_sides(story: Story) -> None:
    """`net` was used by the hidden run, and `kept`, of the same model, was left by it."""
    eve = await a_person(story.platform)
    await story.share("net")
    path = story.holders["net"].replace("/models/", "/lineage/model/")
    nodes, edges = story.named(await read(story.platform, eve, path))
    assert {"net", "kept"} <= nodes
    (run,) = (to for made, to, role in edges if role == "origin.run")
    assert not any(made == run for made, _, _ in edges)
    assert all(story.ids["run"] not in str(edge) for edge in edges)


async def test_the_same_hidden_thing_has_the_same_number(story: Story) -> None:
    eve = await a_person(story.platform)
    model = await registered(eve, "models")
    await story.share("data")
    own = await published(eve, "models", model, data=[story.ids["data"]])
    again = await published(eve, "models", model, data=[story.ids["data"]], parents=[own["id"]])
    private = {"visibility": "private"}
    done(await story.admin.call("PUT", f"{story.holders['data']}/sharing", private))
    path = f"/lineage/version/{again['id']}"
    graph = await read(story.platform, eve, path, direction="up")
    hidden = [node["id"] for node in graph["nodes"] if node.get("hidden")]
    assert hidden == ["hidden-1"]
    found = {(edge["from"], edge["to"]) for edge in graph["edges"]}
    assert {(own["id"], "hidden-1"), (again["id"], "hidden-1")} <= found
    assert story.ids["data"] not in str(graph)


async def test_the_name_of_a_model_that_one_may_not_see_is_not_told(story: Story) -> None:
    eve = await a_person(story.platform)
    rule = a_text(a_name(), "r.obj.kind == 'model'", entity="version", effect="permit")
    await in_force(story.platform, rule)
    graph = await story.graph(eve, "small", direction="up", depth=1)
    labels = {node["id"]: node.get("label") for node in graph["nodes"]}
    assert labels[story.ids["small"]] == "version 1"
    assert labels[story.ids["kept"]] == "version 2"


async def test_masked_members_lead_nowhere(story: Story) -> None:
    eve = await a_person(story.platform)
    await story.share("net", "small")
    _, edges = story.named(await story.graph(eve, "small", direction="up", depth=1))
    assert edges == {("small", "kept", "parents")}
    rule = a_text(a_name(), "False", entity="version", effect="permit")
    mask = 'mask: [{fields: [parents], when: "r.obj.owner == r.sub.id"}]\n'
    await in_force(story.platform, rule + mask)
    for of, direction in (("small", "up"), ("kept", "down")):
        graph = await story.graph(eve, of, direction=direction, depth=1)
        assert ("small", "kept", "parents") not in story.named(graph)[1]
    _, edges = story.named(await story.graph(story.admin, "small", direction="up", depth=1))
    assert edges == {("small", "kept", "parents")}


async def test_what_was_deleted_stays_in_the_lineage(story: Story) -> None:
    path = f"/versions/{story.ids['data']}"
    done(await story.admin.call("DELETE", path, {"reason": "tidy"}))
    graph = await story.graph(story.admin, "run", direction="up", depth=1)
    (node,) = (node for node in graph["nodes"] if node["id"] == story.ids["data"])
    assert node["status"] == "deleted"


async def test_questions_that_make_no_sense_are_refused(story: Story) -> None:
    run, job = story.ids["run"], story.ids["job"]
    for path, status in (
        (f"/lineage/run/{run}?depth=0", 422),
        (f"/lineage/run/{run}?depth=11", 422),
        (f"/lineage/run/{run}?direction=sideways", 422),
        (f"/lineage/experiment/{run}", 422),
        (f"/lineage/version/{run}", 404),
        (f"/lineage/model/{job}", 404),
        (f"/lineage/version/{new_id('version')}", 404),
        ("/lineage/run/run-1", 404),
    ):
        answer = await story.admin.call("GET", path)
        assert answer.status_code == status, path


async def test_a_version_made_of_what_a_run_left_says_so(story: Story) -> None:
    run = str(done(await story.pushed.run())["id"])
    left = await story.admit(run)
    await ended(story.platform, run)
    model = await registered(story.admin, "models")
    body = {"artifact": left}
    made = done(await story.admin.call("POST", f"/models/{model}/versions", body))["id"]
    path = f"/lineage/version/{made}"
    graph = await read(story.platform, story.admin, path, direction="up", depth=1)
    assert story.named(graph)[1] == {(made, run, "origin.run")}
