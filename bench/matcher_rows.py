"""100,000 versions of models for the matcher benchmark: 2,000 offers, one in fifty fits."""

from collections.abc import Iterator
from typing import Any

from psycopg.types.json import Jsonb

from bench.policy_rows import bench_id
from domain.signatures.extraction import extract
from domain.signatures.shapes import digest_of, offered
from domain.signatures.sources import Sources
from infra.database import Connection
from infra.shipped_roles import sdk_sources
from projections.compatibility import relate
from projections.read_event import ReadEvent

OFFERS, EACH, FITTING = 2_000, 50, 50

EXECUTOR = b"""
from typing import Protocol
import hansard
class Shrinks(Protocol):
    def shrink(self, share: float) -> int: ...
class Prune(hansard.Executor):
    part: hansard.Slot[Shrinks]
    def execute(self): ...
"""

_ABSTRACTIONS = """
INSERT INTO abstraction (id, kind, project, name, description, tags, archived, versions, created_by,
  created_at, updated_at, position, visibility, groups, users)
SELECT bench_id('model', n), 'model', bench_id('project', n %% 50), 'model ' || n, '', '{}', false,
  %(each)s, bench_id('user', n %% 5000), now(), now(), n,
  CASE WHEN n %% 20 = 0 THEN 'public' ELSE 'private' END, '{}', '{}'
FROM generate_series(0, %(last)s) n
"""
_VERSIONS = """
INSERT INTO version (id, abstraction, kind, project, number, source, artifacts, archived,
  created_by, created_at, updated_at, position, abstraction_owner, visibility, groups, users, offer)
SELECT bench_id('version', n), bench_id('model', model), 'model', bench_id('project', model %% 50),
  n %% %(each)s + 1, jsonb_build_object('signature', (%(signatures)s::jsonb[])[chosen]), '[]',
  false,
  bench_id('user', model %% 5000), timestamptz '2026-01-01' + n * interval '7 seconds', now(), n,
  bench_id('user', model %% 5000),
  CASE WHEN model %% 20 = 0 THEN 'public' ELSE 'private' END, '{}', '{}',
  (%(offers)s::text[])[chosen]
FROM (SELECT n, n / %(each)s AS model, 1 + floor(random() * %(count)s)::int AS chosen
  FROM generate_series(1, %(versions)s) n) made
"""
_ID = """
CREATE OR REPLACE FUNCTION bench_id(kind text, n int) RETURNS text LANGUAGE sql IMMUTABLE
RETURN kind || '-00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0')
"""


def signatures(count: int) -> list[dict[str, Any]]:
    """Of classes that are all different; one in fifty plays the executor's role."""
    return list(_signatures(count))


def fill_versions(connection: Connection, count: int) -> int:
    """Add the versions and compare what they offer; answers how many fit."""
    found = signatures(OFFERS)
    events = [
        ReadEvent(n, bench_id("version", n), 1, "version.published.v3", {"data": {"source": s}})
        for n, s in enumerate({"signature": each} for each in found)
    ]
    with connection.transaction():
        relate(connection, events)
    offers = [digest_of(offered(each)) for each in found]
    values: dict[str, Any] = {"each": EACH, "last": count // EACH, "versions": count}
    values |= {"offers": offers, "count": len(offers)}
    connection.execute(_ID)
    connection.execute("SELECT setseed(0.5)")
    connection.execute(_ABSTRACTIONS, values)
    connection.execute(_VERSIONS, {**values, "signatures": list(map(Jsonb, found))})
    connection.execute("VACUUM ANALYZE version, abstraction, fit")
    row = connection.execute(
        "SELECT count(*) FROM version WHERE offer = ANY(%s)", (offers[::FITTING],)
    ).fetchone()
    assert row is not None
    return int(row[0])


def _signatures(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        method = "shrink(self, share: float" if number % FITTING == 0 else f"f{number}(self, x: int"
        source = (
            "import hansard\n"
            f"class Net(hansard.Model):\n    def {method}, n{number}: int = 1) -> int: ...\n"
            "    def predict(self, inputs: list[float]) -> list[int]: ...\n"
            "    def train(self, data: hansard.Examples, epochs: int = 1) -> None: ...\n"
        )
        sources = Sources({"m.py": source.encode()}, sdk_sources())
        yield extract(sources, "m:Net", "model")
