"""Laws of pages on PostgreSQL: full, no row twice, no row left out, stable while rows come in."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from domain.errors import Forbidden, Invalid
from infra.database import Connection, connect, migrate
from policies.access import Access, Listing
from policies.document import read_policy
from policies.pdp import PolicySet
from policies.shipped import shipped_policies
from projections.batch import upsert
from projections.catalogue import RUNS
from projections.cursor import CursorSigner
from projections.page import Page, PageRequest, read_facet, read_page
from projections.rebuild import MIGRATIONS
from tests.integration.conftest import Servers

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SIGNER = CursorSigner(b"pages")
MASKING = """
policy: masking
entity: run
actions: read
root: {combine: deny-overrides, rules: [{id: never, effect: permit, when: "False"}]}
mask: [{fields: [parameters, node], when: "r.obj.owner == r.sub.id"}]
"""
SORTS = [
    *("-created_at", "created_at", "name", "-name", "status,-created_at", "started_at"),
    *("-started_at,name", "metrics.loss", "-metrics.loss.max", "metrics.loss.min,-name"),
    *("-metrics.loss,metrics.accuracy.min,name", "name,-metrics.loss", "-attempt,started_at,name"),
]
Row = dict[str, Any]


@pytest.fixture(scope="module")
def tables(servers: Servers) -> Iterator[Connection]:
    schema = f"pages_{uuid4().hex[:10]}"
    migrate(servers.postgres, schema, MIGRATIONS)
    with connect(servers.postgres, schema) as connection:
        yield connection


@pytest.fixture
def rows(tables: Connection) -> list[Row]:
    """300 runs of six owners with metrics, many of them missing or equal."""
    tables.execute("TRUNCATE run, metric_latest, dead_letter")
    chance = random.Random(4)
    made = [a_row(chance, number) for number in range(300)]
    store(tables, made)
    return made


def a_row(chance: random.Random, number: int) -> Row:
    metrics = {
        key: (chance.choice([0.1, 0.5, 0.9]), chance.choice([0.5, float("inf"), -1.5]), 0.25)
        for key in ("loss", "accuracy")
        if chance.random() < 0.6
    }
    started = None if chance.random() < 0.4 else NOW + timedelta(hours=chance.randint(0, 5))
    return {
        "id": f"run-{number:06d}",
        **dict.fromkeys(("project", "experiment", "executor", "lock"), "x"),
        "name": chance.choice("abcde"),
        "description": "",
        "tags": {},
        "archived": False,
        "parameters": {"lr": chance.choice([0.1, "high", None])},
        "slots": {},
        "datasets": {},
        "variables": {},
        "resources": {},
        "seed": 0,
        "status": chance.choice(["running", "failed"]),
        "notes": [],
        "attempt": chance.randint(0, 2),
        "cancel_requested": False,
        "node": "n1",
        "created_by": f"user-{chance.randint(0, 5)}",
        "created_at": (NOW + timedelta(minutes=chance.randint(0, 9))).isoformat(),
        "updated_at": NOW.isoformat(),
        "position": number,
        "experiment_owner": "",
        "visibility": chance.choice(["private", "public"]),
        "groups": chance.sample(["g1", "g2"], chance.randint(0, 2)),
        "users": [],
        "started_at": started.isoformat() if started else None,
        "embargo_until": None if chance.random() < 0.9 else (NOW + timedelta(days=1)).isoformat(),
        "metrics": metrics,
    }


def store(tables: Connection, made: list[Row]) -> None:
    plain = [{k: v for k, v in row.items() if k != "metrics"} for row in made]
    upsert(tables, "run", ["id"], plain)
    for row in made:
        for key, (last, high, low) in row["metrics"].items():
            tables.execute(
                "INSERT INTO metric_latest (run, key, attempt, step, value, time, points, low, "
                "high) VALUES (%s, %s, 1, 1, %s, 0, 1, %s, %s)",
                (row["id"], key, last, low, high),
            )


def access(user: str = "user-1", *more: str, groups: tuple[str, ...] = ("g1",)) -> Access:
    texts = [*shipped_policies().values(), *more]
    policies = PolicySet([read_policy(text) for text in texts])
    values = {
        "id": user,
        "active": True,
        "admin": False,
        "service": False,
        "groups": groups,
        **dict.fromkeys(("viewer_of", "contributor_of", "manager_of"), ()),
    }
    return Access(policies, policies.subject.facts(values), NOW)


def page(tables: Connection, listing: Listing, **asked: Any) -> Page:
    return read_page(tables, RUNS, listing, PageRequest(**asked), SIGNER, NOW)


def walk(tables: Connection, listing: Listing, limit: int, **asked: Any) -> list[Row]:
    """All pages, each of them full but the last."""
    found: list[Row] = []
    cursor = None
    while True:
        one = page(tables, listing, limit=limit, cursor=cursor, **asked)
        found += one.items
        cursor = one.next_cursor
        if cursor is None:
            return found
        assert len(one.items) == limit


def seen_by(row: Row, user: str, groups: set[str]) -> bool:
    """The shipped policies for runs, said a second time."""
    if row["created_by"] == user:
        return True
    return row["embargo_until"] is None and (
        row["visibility"] == "public" or not groups.isdisjoint(row["groups"])
    )


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_pages_together_are_the_visible_rows_in_order(
    tables: Connection, rows: list[Row], sort: str, limit: int
) -> None:
    found = walk(tables, access().listing("run"), limit, sort=sort)
    wanted = {row["id"]: row for row in rows if seen_by(row, "user-1", {"g1"})}
    assert 50 < len(wanted) < 250
    assert {item["id"] for item in found} == set(wanted)
    assert len(found) == len(wanted)
    in_order = [wanted[item["id"]] for item in found]
    assert all(compared(sort)(one, other) <= 0 for one, other in pairwise(in_order))


def compared(sort: str) -> Any:
    """The order of a sort expression, missing values last in either direction."""

    def compare(one: Row, other: Row) -> int:
        for name in sort.split(","):
            a, b = (value_of(row, name.removeprefix("-")) for row in (one, other))
            if a == b:
                continue
            if a is None or b is None:
                return 1 if a is None else -1
            return (1 if a > b else -1) * (-1 if name.startswith("-") else 1)
        return 0

    return compare


def value_of(row: Row, name: str) -> Any:
    if not name.startswith("metrics."):
        return row[name]
    _, key, *stat = name.split(".")
    values = row["metrics"].get(key)
    place = {"max": 1, "min": 2}.get(stat[0], 0) if stat else 0
    return None if values is None else values[place]


@pytest.mark.parametrize("sort", ["-created_at", "metrics.loss,-name", "-started_at"])
def test_rows_that_come_in_between_neither_repeat_nor_hide_others(
    tables: Connection, rows: list[Row], sort: str
) -> None:
    listing, chance = access().listing("run"), random.Random(9)
    before = {item["id"] for item in walk(tables, listing, 500)}
    found: list[str] = []
    cursor, number = None, 1000
    while True:
        one = page(tables, listing, limit=10, cursor=cursor, sort=sort)
        found += [item["id"] for item in one.items]
        cursor = one.next_cursor
        if cursor is None:
            break
        number += 3
        store(tables, [a_row(chance, number + n) for n in range(3)])
    assert len(found) == len(set(found))
    assert before <= set(found)


def test_a_count_and_a_facet_count_what_may_be_seen(tables: Connection, rows: list[Row]) -> None:
    listing = access().listing("run")
    wanted = [row for row in rows if seen_by(row, "user-1", {"g1"})]
    assert page(tables, listing, count=True).total == len(wanted)
    facet = read_facet(tables, RUNS, listing, PageRequest(), "status", NOW)
    assert {item["value"]: item["count"] for item in facet} == {
        status: sum(row["status"] == status for row in wanted) for status in ("running", "failed")
    }


FILTERS: dict[str, Callable[[Row], bool]] = {
    "metrics.loss > 0.4": lambda r: (r["metrics"].get("loss") or [0])[0] > 0.4,
    "not (metrics.loss > 0.4)": lambda r: (r["metrics"].get("loss") or [1])[0] <= 0.4,
    "metrics.loss.max is None": lambda r: "loss" not in r["metrics"],
    "params.lr == 'high' or params.lr <= 0.1": lambda r: r["parameters"]["lr"] is not None,
    "params.lr is None": lambda r: r["parameters"]["lr"] is None,
    "started_at is not None and status in ['failed']": lambda r: (
        r["started_at"] is not None and r["status"] == "failed"
    ),
    "prefix(name, 'a') and attempt >= 1": lambda r: r["name"] == "a" and r["attempt"] >= 1,
}


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_keeps_what_it_says(tables: Connection, rows: list[Row], text: str) -> None:
    found = walk(tables, access().listing("run"), 50, filter=text, sort="-metrics.loss")
    wanted = [r["id"] for r in rows if seen_by(r, "user-1", {"g1"}) and FILTERS[text](r)]
    assert sorted(item["id"] for item in found) == sorted(wanted)
    assert wanted


def test_masked_fields_are_empty_and_filters_say_nothing_about_them(
    tables: Connection, rows: list[Row]
) -> None:
    listing = access("user-1", MASKING).listing("run")
    shown = {item["id"]: item for item in walk(tables, listing, 100)}
    owned = {row["id"] for row in rows if row["created_by"] == "user-1"}
    for id_, item in shown.items():
        assert (item["parameters"] is None) is (item["node"] is None) is (id_ not in owned)
        assert item["masked"] == ([] if id_ in owned else ["node", "parameters"])
    for text in ("node == 'n1'", "not (node != 'n1')", "node is not None"):
        found = {item["id"] for item in walk(tables, listing, 100, filter=text)}
        assert found == owned & set(shown)
    assert walk(tables, listing, 100, filter="node is None or node != 'n1'") == []
    with pytest.raises(Forbidden):
        page(tables, listing, sort="node")
    with pytest.raises(Forbidden):
        page(tables, listing, sort="params.lr")
    with pytest.raises(Forbidden):
        read_facet(tables, RUNS, listing, PageRequest(), "node", NOW)


def test_a_cursor_opens_its_own_list_only(tables: Connection, rows: list[Row]) -> None:
    listing = access().listing("run")
    cursor = page(tables, listing, limit=5).next_cursor
    others: list[tuple[Listing, dict[str, Any]]] = [
        (access("user-2").listing("run"), {}),
        (access("user-1", MASKING).listing("run"), {}),
        (listing, {"sort": "name"}),
        (listing, {"filter": "name == 'a'"}),
        (listing, {"where": {"name": "a"}}),
        (listing, {"archived": True}),
    ]
    for other, asked in others:
        with pytest.raises(Invalid) as refused:
            page(tables, other, limit=5, cursor=cursor, **asked)
        assert refused.value.code == "invalid-cursor"


def test_what_hangs_behind_a_dead_letter_is_hidden_with_what_it_holds(
    tables: Connection, rows: list[Row]
) -> None:
    tables.execute("INSERT INTO dead_letter VALUES ('EVENTS', 1, 'x', 'experiment.shared.v1', '')")
    assert walk(tables, access().listing("run"), 100) == []


@pytest.mark.parametrize(
    "sort", ["nothing", "name,name", "a,b,c,d", "groups", "name; DROP TABLE run", "--name"]
)
def test_an_order_that_makes_no_sense_is_refused(tables: Connection, sort: str) -> None:
    with pytest.raises(Invalid):
        page(tables, access().listing("run"), sort=sort)
