"""The benchmark harness: bounds, verdicts and what is printed; and the traffic the benches make."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import __main__ as harness
from bench.figure import Bound, Figure, missed, read_bounds
from bench.lifecycles import lifecycles
from bench.metric_traffic import POINTS_A_FRAME, metric_frame
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage
from infra.metric_columns import latest_points
from projections.read_event import read_event
from projections.registry_rows import fold
from projections.rows import Row


def test_every_bound_of_the_file_is_read_with_one_limit() -> None:
    bounds = read_bounds()
    assert bounds["append.vs_postgres_recorder"] == Bound("x", min=1.3)
    assert bounds["series.1m_to_2000_ms"] == Bound("ms", max=50)
    assert all((b.min is None) != (b.max is None) for b in bounds.values())


def test_every_bound_of_the_benches_that_all_runs_belongs_to_a_module() -> None:
    modules = {path.stem for path in Path(harness.__file__).parent.glob("*.py")}
    assert set(harness.BENCHES) <= modules


@pytest.mark.parametrize(("value", "held"), [(2.0, True), (1.9, False), (float("nan"), False)])
def test_a_lower_bound_is_reached_at_its_limit_and_never_by_nan(value: float, held: bool) -> None:
    assert Bound("x", min=2.0).holds(value) is held


@pytest.mark.parametrize(("value", "held"), [(2.0, True), (2.1, False), (float("nan"), False)])
def test_an_upper_bound_is_reached_at_its_limit_and_never_by_nan(value: float, held: bool) -> None:
    assert Bound("ms", max=2.0).holds(value) is held


def test_a_bound_that_was_not_measured_counts_as_missed_and_other_benches_do_not() -> None:
    bounds = {"a.x": Bound("s", max=1), "a.y": Bound("s", max=1), "b.x": Bound("s", max=1)}
    assert missed(["a"], [Figure("a.x", 0.5, "s", 1)], bounds) == ["a.y"]


def test_a_figure_is_one_line_of_json_with_all_members() -> None:
    line = Figure("a.x", 1 / 3, "s", 5, peer=0.00132).as_json()
    assert json.loads(line) == {
        "id": "a.x",
        "value": 0.333333,
        "unit": "s",
        "n": 5,
        "floor": None,
        "peer": 0.00132,
        "note": "",
    }


def _harness_measuring(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    def run() -> Iterator[Figure]:
        yield Figure("series.1m_to_2000_ms", value, "ms", 3)

    monkeypatch.setattr(harness, "import_module", lambda _: SimpleNamespace(run=run))
    monkeypatch.setattr(harness, "share_two_cores", lambda: None)


def test_a_bench_within_its_bounds_exits_with_0_and_prints_only_json_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _harness_measuring(monkeypatch, 40.0)
    assert harness.main(["series", "--json"]) == 0
    assert [json.loads(line)["value"] for line in capsys.readouterr().out.splitlines()] == [40.0]


def test_a_missed_bound_exits_with_1_and_the_table_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _harness_measuring(monkeypatch, 60.0)
    assert harness.main(["series"]) == 1
    assert "missed" in capsys.readouterr().out


def test_the_lifecycles_can_be_folded_and_their_runs_are_interleaved() -> None:
    layout, rows = Layout(), dict[str, Row]()
    entities = []
    for position, stored in enumerate(lifecycles(3000), 1):
        subject = layout.event(stored.originator_id, stored.originator_version)
        message = LogMessage(position, subject, stored.topic, "", "", stored.state, "")
        event = read_event(layout, message)
        rows[event.entity] = fold(rows.get(event.entity), event)
        entities.append(event.entity)
    ended = [row for row in rows.values() if row.get("status") == "succeeded"]
    assert len(ended) > 100
    assert sum(a == b for a, b in pairwise(entities)) < 300
    assert set(Counter(entities[: len(entities) // 2]).values()) <= set(range(1, 8))


def test_a_metric_frame_holds_25_points_of_each_of_20_keys_that_go_on_in_the_next() -> None:
    first, second = (list(latest_points(metric_frame(seq).payload)) for seq in (1, 2))
    assert POINTS_A_FRAME == sum(count for _, count, *_ in first) == 500
    assert {step for _, _, step, *_ in first} == {24}
    assert {step for _, _, step, *_ in second} == {49}
