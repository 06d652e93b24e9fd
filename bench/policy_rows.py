"""A million runs for the policy benchmark: 5,000 owners, 500 skewed groups, 500 metrics."""

from typing import Any

from infra.database import Connection

OWNERS, GROUPS, PROJECTS, EXPERIMENTS, METRICS = 5_000, 500, 50, 20_000, 500

_RUNS = """
INSERT INTO run (id, project, experiment, name, description, tags, archived, executor, parameters,
  slots, resources, lock, seed, status, attempt, cancel_requested, notes, created_by, created_at,
  updated_at, position, experiment_owner, visibility, groups, users, embargo_until)
SELECT bench_id('run', n), bench_id('project', n %% %(projects)s),
  bench_id('experiment', n %% %(experiments)s), 'run ' || n, '', '{"team": "vision"}', false,
  'version-1', jsonb_build_object('lr', random()), '{}', '{}', 'lock', 0, 'succeeded', 1, false,
  '[]', owner, born, born, n, owner, CASE WHEN chance < 0.05 THEN 'public'
  WHEN chance < 0.15 THEN 'project' ELSE 'private' END,
  CASE WHEN random() < 0.8
    THEN ARRAY[bench_id('group', floor(%(groups)s * power(random(), 3))::int)] ELSE '{}' END,
  '{}', CASE WHEN random() < 0.02 THEN timestamptz '2040-01-01' END
FROM (SELECT n, random() AS chance, bench_id('user', floor(random() * %(owners)s)::int) AS owner,
  timestamptz '2026-01-01' + n * interval '7 seconds' AS born
  FROM generate_series(%(first)s::int, %(last)s::int) n) made
"""
_METRICS = """
INSERT INTO metric_latest (run, key, attempt, step, value, time, points, low, high)
SELECT bench_id('run', n), key, 1, 100, value, 0, 100, value - 0.1, value + 0.1
FROM (SELECT n, random() AS value,
  CASE place WHEN 0 THEN 'accuracy' ELSE 'metric/' || floor(random() * %(metrics)s)::int END AS key
  FROM generate_series(%(first)s::int, %(last)s::int) n, generate_series(0, 2) place) made
ON CONFLICT DO NOTHING
"""
_ACCOUNTS = """
INSERT INTO account (id, profile, attributes, enabled, created_by, created_at, updated_at, position,
  groups, joined, viewer_of)
SELECT bench_id('user', n), '', '{}', true, 'system', now(), now(), 0,
  ARRAY[bench_id('group', n %% %(groups)s)], ARRAY[bench_id('group', n %% %(groups)s)],
  ARRAY[bench_id('project', n %% %(projects)s)]
FROM generate_series(1, %(accounts)s::int) n ON CONFLICT DO NOTHING
"""
_ID = """
CREATE OR REPLACE FUNCTION bench_id(kind text, n int) RETURNS text LANGUAGE sql IMMUTABLE
RETURN kind || '-00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0')
"""
_COUNTS = {
    "owners": OWNERS,
    "groups": GROUPS,
    "projects": PROJECTS,
    "experiments": EXPERIMENTS,
    "metrics": METRICS,
}


def bench_id(kind: str, n: int) -> str:
    """The id that the rows have, as the database makes it."""
    return f"{kind}-00000000-0000-7000-9000-{n:012x}"


def fill_runs(connection: Connection, first: int, last: int) -> None:
    """Add the runs with these numbers, with three metrics each, and let the planner know.

    Indexes are dropped and made again: a million rows go in ten times faster.
    """
    connection.execute(_ID)
    connection.execute("SELECT setseed(0.5)")
    values: dict[str, Any] = {**_COUNTS, "first": first, "last": last}
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() "
        "AND tablename IN ('run', 'metric_latest') AND indexname NOT LIKE '%_pkey'"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.execute(_RUNS, values)
    connection.execute(_METRICS, values)
    connection.execute("SET maintenance_work_mem = '256MB'")
    for _, definition in indexes:
        connection.execute(definition)
    connection.execute("VACUUM ANALYZE run, metric_latest")


def fill_accounts(connection: Connection, count: int) -> None:
    """Add users, each in one group and one project."""
    connection.execute(_ID)
    connection.execute(_ACCOUNTS, {**_COUNTS, "accounts": count})
    connection.execute("VACUUM ANALYZE account")
