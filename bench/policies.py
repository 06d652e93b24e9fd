"""Pages under policies over a million runs, beside row-level security and fetch-then-filter."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import httpx

from bench.deciding import decision_figures
from bench.figure import Figure
from bench.machine import scratch_folder
from bench.platform import Platform, running_platform
from bench.policy_peers import fetch_then_filter_ms, row_security_ms
from bench.policy_rows import bench_id, fill_accounts, fill_runs
from infra.database import Connection, connect
from policies.access import Access, Listing
from policies.document import read_policy
from policies.kinds import SCHEMAS
from policies.pdp import PolicySet
from policies.reduce import reduced
from policies.shipped import shipped_policies
from projections.catalogue import RUNS
from projections.cursor import CursorSigner
from projections.page import Page, PageRequest, binding_of, read_page
from projections.questions import who
from projections.rebuild import LIVE

_SMALL, _ALL = 10_000, 1_000_000
_ACCOUNTS = 100_000
_ROUNDS = 30
_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_SIGNER = CursorSigner(b"bench")
_METRIC = PageRequest(filter="metrics.accuracy.max > 0.5", sort="-metrics.accuracy.max")
_RARE = PageRequest(filter="metrics['metric/7'].min < 0.5", sort="metrics['metric/7'].min")


def run() -> Iterator[Figure]:
    """The figures of `policies`."""
    yield from decision_figures()
    with scratch_folder() as scratch, running_platform(scratch / "data", "local") as platform:
        url = json.loads((scratch / "data" / "server.json").read_text())["HANSARD_POSTGRES_URL"]
        with connect(url, LIVE) as connection:
            reader = _reader(platform)
            fill_runs(connection, 1, _SMALL)
            small = _http_ms(platform, reader)
            fill_runs(connection, _SMALL + 1, _ALL)
            large = _http_ms(platform, reader)
            yield Figure("policies.http_list_ms", large, "ms", _ROUNDS, note="50 of 1,000,000 runs")
            note = f"{small:.2f} ms at 10,000 runs"
            yield Figure("policies.http_list_1m_over_10k", large / small, "x", _ROUNDS, note=note)
            yield from _pages(connection)
            yield from _metrics(connection)
            fill_accounts(connection, _ACCOUNTS)
            yield _who_can(connection)


def _pages(connection: Connection) -> Iterator[Figure]:
    """First pages of three readers without a public rule, the harder case; one deep page."""
    harder = _policies(without="public")
    readers = {
        "broad": _access(harder, groups=[0, 1]),
        "sparse": _access(harder, groups=[100], user=17),
        "nothing": _access(harder),
    }
    for name, access in readers.items():
        listing = access.listing("run")
        ours = _median_ms(partial(_page, connection, listing))
        rls = row_security_ms(connection, listing)
        fetched = fetch_then_filter_ms(connection, access)
        rows = len(_page(connection, listing).items)
        note = f"{rows} rows; peer: row-level security; fetch-then-filter {fetched:.1f} ms"
        yield Figure(f"policies.page_{name}_ms", ours, "ms", _ROUNDS, None, rls, note)
    yield _deep(connection, readers["broad"].listing("run"))


def _deep(connection: Connection, listing: Listing) -> Figure:
    """The page behind nine tenths of all rows over the first one."""
    cursor = _cursor_at(connection, listing, 0.9)
    request = PageRequest(cursor=cursor)
    first, deep = [], []
    for _ in range(_ROUNDS):
        first.append(_timed_ms(lambda: _page(connection, listing)))
        deep.append(_timed_ms(lambda: _page(connection, listing, request)))
    assert len(_page(connection, listing, request).items) == request.limit
    note = f"{median(deep):.2f} ms behind 90 % of the rows"
    ratio = median(deep) / median(first)
    return Figure("policies.deep_over_first", ratio, "x", _ROUNDS, None, None, note)


def _metrics(connection: Connection) -> Iterator[Figure]:
    """The slowest of: a metric that all runs have and one that few have, by three readers."""
    shipped = _policies()
    readers = {
        "administrator": _access(shipped, admin=True),
        "broad": _access(shipped, groups=[0, 1]),
        "sparse": _access(shipped, groups=[100], user=17),
    }
    taken = {
        f"{name}, {what}": _median_ms(partial(_page, connection, access.listing("run"), request))
        for name, access in readers.items()
        for what, request in (("common", _METRIC), ("rare", _RARE))
    }
    note = "; ".join(f"{what} {ms:.1f} ms" for what, ms in taken.items())
    worst = max(taken.values())
    yield Figure("policies.metric_filter_sort_1m_ms", worst, "ms", _ROUNDS, note=note)


def _who_can(connection: Connection) -> Figure:
    """All users who may read one run that is shared with a group."""
    access = _access(_policies(), admin=True)
    facts = SCHEMAS["run"].facts(
        {
            **dict.fromkeys(SCHEMAS["run"].attributes, ""),
            "groups": [bench_id("group", 3)],
            "users": [],
            "embargo_until": None,
            "created_at": _NOW,
            "archived": False,
        }
    )
    may_read = access.policies.decider("run", "read").permits

    def ask() -> list[str]:
        subjects = reduced(may_read, {"obj": facts, "env": access.env})
        return who(connection, access.listing("user"), subjects, None, _ACCOUNTS)

    taken = _median_ms(ask)
    note = f"{len(ask())} of {_ACCOUNTS} users"
    return Figure("policies.who_can_100k_ms", taken, "ms", _ROUNDS, note=note)


def _reader(platform: Platform) -> httpx.Client:
    """A client of a person who is in no group: sees what is public, and nothing else."""
    user = platform.http.post("/v1/users", json={"name": "Reader"}).raise_for_status().json()
    body = {"label": "bench", "scopes": ["read"]}
    path = f"/v1/users/{user['id']}/tokens"
    token = platform.http.post(path, json=body).raise_for_status().json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=platform.http.base_url, headers=headers)


def _http_ms(platform: Platform, reader: httpx.Client) -> float:
    """Median of a whole request for the first 50 runs."""

    def request() -> None:
        answer = reader.get("/v1/runs").raise_for_status().json()
        assert len(answer["items"]) == 50

    return _median_ms(request)


def _policies(without: str = "") -> PolicySet:
    """The shipped policies; the reading of runs without one of its rules."""
    texts = shipped_policies()
    documents = [read_policy(text) for text in texts.values()]
    if not without:
        return PolicySet(documents)
    kept = [document for document in documents if document.policy != "reading-runs"]
    runs = next(document for document in documents if document.policy == "reading-runs")
    rules = [rule for rule in runs.root.rules if getattr(rule, "id", "") != without]
    root = runs.root.model_copy(update={"rules": rules})
    return PolicySet([*kept, runs.model_copy(update={"root": root})])


def _access(
    policies: PolicySet, *, groups: Sequence[int] = (), user: int | None = None, admin: bool = False
) -> Access:
    values: Mapping[str, Any] = {
        "id": bench_id("user", user) if user is not None else "user-nobody",
        "active": True,
        "admin": admin,
        "service": False,
        "groups": [bench_id("group", number) for number in groups],
        "viewer_of": [],
        "contributor_of": [],
        "manager_of": [],
    }
    return Access(policies, policies.subject.facts(values), _NOW)


def _page(connection: Connection, listing: Listing, request: PageRequest | None = None) -> Page:
    return read_page(connection, RUNS, listing, request or PageRequest(), _SIGNER, _NOW)


def _cursor_at(connection: Connection, listing: Listing, depth: float) -> str:
    """A cursor behind this share of all rows."""
    query = "SELECT created_at, id FROM run ORDER BY 1 DESC, 2 DESC OFFSET %s LIMIT 1"
    row = connection.execute(query, (int(_ALL * depth),)).fetchone()
    assert row is not None
    last = _page(connection, listing, PageRequest(limit=1)).next_cursor
    assert last is not None
    binding = binding_of(RUNS, listing, PageRequest())
    assert len(_SIGNER.read(last, binding)) == 3
    return _SIGNER.sign([0, row[0].isoformat(), row[1]], binding)


def _median_ms(action: Callable[[], object]) -> float:
    for _ in range(3):
        action()
    return median(_timed_ms(action) for _ in range(_ROUNDS))


def _timed_ms(action: Callable[[], object]) -> float:
    start = perf_counter()
    action()
    return (perf_counter() - start) * 1e3
