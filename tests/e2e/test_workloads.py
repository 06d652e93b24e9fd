"""What the platform is for, on Ray: parts that know nothing of each other become experiments."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import hansard
from hansard.client_errors import Invalid
from tests.e2e.platform import Up, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EXAMPLES = Path(__file__).parents[2] / "examples"
DIGITS = EXAMPLES / "digits" / "loader"
NET = {"width": 96, "epochs": 8}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with platform(tmp_path_factory.mktemp("platform") / "data", "ray") as up:
        yield up


@pytest.fixture
def client(up: Up) -> Iterator[hansard.Client]:
    with up.client() as client:
        yield client


def push(client: hansard.Client, *parts: str) -> None:
    for part in parts:
        client.push(EXAMPLES / part)


def ran(
    client: hansard.Client,
    executor: str,
    slots: Mapping[str, Any],
    parameters: Mapping[str, Any] | None = None,
) -> hansard.Run:
    """The run once it has succeeded."""
    run = client.wait(client.run(executor, slots, parameters, seed=1), timeout_s=600)
    assert run.status == "succeeded", (run.reason, run.failure)
    return run


def results(run: hansard.Run) -> dict[str, Any]:
    assert run.results is not None
    return run.results


def test_nearest_neighbours_learn_irises_and_are_kept(client: hansard.Client) -> None:
    push(client, "executors/train", "models/nearest_neighbours", "loaders/iris")
    model = hansard.Fill("nearest neighbours", {"neighbours": 7}, keep=True)
    run = ran(client, "train", {"model": model, "data": "iris"})
    assert results(run)["test_accuracy"] > 0.93
    kept = client.models.version("nearest neighbours")
    assert kept.number == 2
    assert kept.origin is not None
    assert kept.origin["run"] == run.id
    again = ran(client, "train", {"model": "nearest neighbours:2", "data": "iris"}, {"rounds": 0})
    assert results(again) == {"examples": 105}


DUEL = """
from typing import Protocol
import hansard

class Series(Protocol):
    def numbers(self) -> list[float]: ...

class Named(Protocol):
    def title(self) -> str: ...

class Guesser(Protocol):
    def guess(self, past: list[float]) -> float: ...

class Referee(Protocol):
    def score(self, guess: float, truth: float) -> float: ...

class Duel(hansard.Executor):
    guessers: hansard.Slots[hansard.All[Guesser, Named]]
    series: hansard.Slots[Series]
    referee: hansard.Slot[Referee] | None

    def execute(self, start: int = 3) -> dict[str, float]:
        found = {}
        for each in self.guessers:
            errors = []
            for numbers in (loader.numbers() for loader in self.series):
                for at in range(start, len(numbers)):
                    guess = each.guess(numbers[:at])
                    score = self.referee.score if self.referee else lambda g, t: abs(g - t)
                    errors.append(score(guess, numbers[at]))
            found[each.title()] = sum(errors) / len(errors)
        return found
"""
LAST = """
import hansard

class Last(hansard.Model):
    def title(self): return "last"
    def guess(self, past): return past[-1]
"""
TREND = """
import hansard

class Trend(hansard.Model):
    def __init__(self, name: str = "trend"): self.name = name
    def title(self): return self.name
    def guess(self, past): return past[-1] + past[-1] - past[-2]
"""
RAMP = """
import hansard

class Ramp(hansard.DatasetLoader):
    def __init__(self, step: float = 1.0): self.step = step
    def numbers(self): return [self.step * n for n in range(10)]
"""
SQUARES = """
import hansard

class Squares(hansard.DatasetLoader):
    def numbers(self): return [float(n * n) for n in range(10)]
"""
SQUARED = """
import hansard

class Squared(hansard.Model):
    def score(self, guess, truth): return (guess - truth) ** 2
"""
REPEAT = """
import hansard

class Repeat(hansard.Executor):
    job: hansard.Slot[hansard.Job]

    def execute(self, times: int = 2) -> dict[str, object]:
        return {"all": [self.job.execute() for _ in range(times)]}
"""


def push_sources(client: hansard.Client, folder: Path, sources: Mapping[str, str]) -> None:
    for name, source in sources.items():
        (folder / name).mkdir()
        (folder / name / f"{name}_part.py").write_text(source)
        client.push(folder / name, name=name)


def test_two_models_two_loaders_and_roles_of_ones_own(
    client: hansard.Client, tmp_path: Path
) -> None:
    sources = {"duel": DUEL, "last": LAST, "trend": TREND, "ramp": RAMP, "squares": SQUARES}
    push_sources(client, tmp_path, {**sources, "squared": SQUARED, "repeat": REPEAT})
    trend = hansard.Fill("trend", {"name": "straight on"})
    ramp = hansard.Fill("ramp", {"step": 3.0})
    slots = {"guessers": ["last", trend], "series": [ramp, "squares"]}
    run = ran(client, "duel", slots)
    assert results(run) == {"last": (7 * 3 + 77) / 14, "straight on": 1.0}
    assert sorted(run.slots) == ["guessers.0", "guessers.1", "series.0", "series.1"]

    judged = {**slots, "referee": "squared"}
    assert results(ran(client, "duel", judged))["straight on"] == 2.0

    nested = {"job": hansard.Fill("duel", {"start": 9}), "job.guessers": "last"}
    run = ran(client, "repeat", {**nested, "job.series": ["squares", "ramp"]}, {"times": 3})
    assert results(run) == {"all": [{"last": (17 + 1) / 2}] * 3}


def test_a_part_without_the_role_fails_the_run_and_says_what_it_lacks(
    client: hansard.Client, tmp_path: Path
) -> None:
    names = [found.name for found in client.executors.list()]
    assert "duel" in names
    (tmp_path / "mute").mkdir()
    (tmp_path / "mute" / "mute.py").write_text(LAST.replace("def title", "def name"))
    client.push(tmp_path / "mute", name="mute")
    lacking = why_not(client, "duel", {"guessers": ["last", "mute"], "series": "ramp"})
    assert "title" in lacking


def why_not(client: hansard.Client, executor: str, slots: Mapping[str, Any]) -> str:
    """Why parts do not fit: said at the request where sources tell, by the step otherwise."""
    try:
        run = client.run(executor, slots)
    except Invalid as refused:
        return str(refused)
    failure = client.wait(run, timeout_s=300).failure
    assert failure is not None
    return str(failure["message"])


@pytest.fixture
def teacher(client: hansard.Client) -> hansard.Version:
    """A network that has learned digits."""
    push(client, "executors/train", "models/perceptron", "digits/loader")
    before = _kept(client)
    if before is not None:
        return before
    model = hansard.Fill("perceptron", NET, keep=True)
    run = ran(client, "train", {"model": model, "data": "digits"})
    assert results(run)["test_accuracy"] > 0.93
    found = _kept(client)
    assert found is not None
    return found


def _kept(client: hansard.Client) -> hansard.Version | None:
    latest = client.models.version("perceptron")
    return latest if latest.origin else None


def test_an_attack_needs_gradients_and_refuses_models_without_them(
    client: hansard.Client, teacher: hansard.Version
) -> None:
    push(client, "executors/gradient_attack", "models/nearest_neighbours")
    model = hansard.Fill(teacher, NET)
    found = results(ran(client, "gradient attack", {"model": model, "data": "digits"}))
    assert found["accuracy"] > 0.93
    assert found["accuracy_attacked"] < 0.6
    with pytest.raises(Invalid) as refused:
        client.run("gradient attack", {"model": "nearest neighbours", "data": "digits"})
    assert "gradients" in str(refused.value)


def test_a_small_network_learns_from_a_large_one(
    client: hansard.Client, teacher: hansard.Version
) -> None:
    push(client, "executors/distil")
    slots = {
        "teacher": hansard.Fill(teacher, NET),
        "student": hansard.Fill("perceptron:1", {"width": 16}, keep=True),
        "data": "digits",
    }
    run = ran(client, "distil", slots, {"true_share": 0.0})
    found = results(run)
    assert found["student_accuracy"] > 0.88
    assert found["teacher_parameters"] > 5 * found["student_parameters"]
    assert _slots(run.outputs or ()) == ["student"]


def _slots(outputs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [output["slot"] for output in outputs]
