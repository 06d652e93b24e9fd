"""JSON values become what annotations mean, or are refused in words that do not tell them."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict, TypeVar, Unpack

import pytest
from pydantic import BaseModel, Field, PositiveInt, SecretStr

from hansard import Secret
from hansard.conversion import Misfit, converted
from hansard.errors import ParameterError
from hansard.parameters import arguments
from tests.unit.step_box import Box

T = TypeVar("T")
Width = NewType("Width", int)


class Mode(StrEnum):
    FAST = "fast"
    SLOW = "slow"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Shape(Enum):
    SQUARE = (1, 1)
    WIDE = (2, 1)


@dataclass
class Layer:
    width: int
    mode: Mode = Mode.FAST
    inner: "list[Layer]" = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError("a layer has a width")


class Options(TypedDict):
    rate: float
    how: NotRequired[Mode]


class Config(BaseModel):
    size: int = Field(ge=1)
    mode: Mode = Mode.SLOW
    pair: tuple[int, str] = (1, "a")


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ("fast", Mode, Mode.FAST),
        (2, Level, Level.HIGH),
        ([2, 1], Shape, Shape.WIDE),
        ("a", Literal["a", 1], "a"),
        (1, Literal["a", 1], 1),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([1, 2], tuple, (1, 2)),
        ([[1], [2]], list[tuple[int]], [(1,), (2,)]),
        (["fast"], set[Mode], {Mode.FAST}),
        (["slow"], Sequence[Mode], [Mode.SLOW]),
        ([1], deque[int], deque([1])),
        ({"a": "fast"}, dict[str, Mode], {"a": Mode.FAST}),
        ({"1": [1]}, Mapping[int, tuple[int]], {1: (1,)}),
        ({"2": 0}, dict[Level, int], {Level.HIGH: 0}),
        ({"width": 3, "inner": [{"width": 1}]}, Layer, Layer(3, inner=[Layer(1)])),
        ({"rate": 1, "how": "slow"}, Options, {"rate": 1, "how": Mode.SLOW}),
        ({"size": 2, "pair": [5, "b"]}, Config, Config(size=2, pair=(5, "b"))),
        ([{"size": 2}], list[Config], [Config(size=2)]),
        (3, PositiveInt, 3),
        ("s", SecretStr, SecretStr("s")),
        (Secret("s"), SecretStr, SecretStr("s")),
        ([Secret("s")], list[Secret], [Secret("s")]),
        (Secret("s"), Secret | None, Secret("s")),
        ([SecretStr("s")], list[SecretStr], [SecretStr("s")]),
        (None, Mode | None, None),
        ("slow", Mode | None, Mode.SLOW),
        ("slow", Mode | str, "slow"),
        (3, float | int, 3),
        (3.0, int, 3),
        (8, Annotated[Width, "wide"], 8),
        ("a/b", Path, Path("a/b")),
        ("2030-01-02", date, date(2030, 1, 2)),
        ("1.10", Decimal, Decimal("1.10")),
        ([object, 1], Any, [object, 1]),
        ("x", T, "x"),
        ("x", type[int], "x"),
        ({"a": 1}, object, {"a": 1}),
    ],
)
def test_a_value_becomes_what_its_annotation_means(
    value: Any, annotation: Any, expected: Any
) -> None:
    found = converted(value, annotation)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "annotation", "path", "why"),
    [
        ("hidden", Mode, "", "is Mode of 'fast', 'slow', not another str"),
        (True, Level, "", "is Level of 1, 2, not another bool"),
        ("hidden", Literal["a", 1], "", "is one of 'a', 1, not another str"),
        (1, bool, "", "is bool, not int"),
        (True, int, "", "is int, not bool"),
        (1.5, int, "", "is int, not float"),
        ([1, "hidden"], list[int], "[1]", "is int, not str"),
        ([1], tuple[int, int], "", "has 2 items, not 1"),
        ({"a": ["x"]}, dict[str, list[Mode]], "['a'][0]", "is Mode of 'fast', 'slow', not an"),
        ({"x": 1}, dict[int, int], "", "has a key that is int, not str"),
        ({"width": 1, "size": 2}, Layer, "", "is Layer, which has no `size`"),
        ({}, Layer, "", "is Layer, which needs `width`"),
        ({"width": 0}, Layer, "", "makes no Layer: a layer has a width"),
        ({"width": 1, "inner": [{"width": "1"}]}, Layer, ".inner[0].width", "is int, not str"),
        ({"how": "slow"}, Options, "", "is Options, which needs `rate`"),
        ({"size": 0}, Config, ".size", "makes no Config: Input should be greater than or equal"),
        ({"size": 1, "pair": [1]}, Config, ".pair[1]", "makes no Config: Field required"),
        ("hidden", int | None, "", "is int, not str"),
        ("hidden", int | list[int], "", "is int or list[int], not str"),
        ([[1]], set[list[int]], "", "makes no set: unhashable type"),
        ("hidden", date, "", "is no date that can be read"),
    ],
)
def test_a_value_that_is_something_else_is_refused_where_it_is(
    value: Any, annotation: Any, path: str, why: str
) -> None:
    with pytest.raises(Misfit) as caught:
        converted(value, annotation)
    assert caught.value.path == path
    assert caught.value.why.startswith(why)
    assert "hidden" not in str(caught.value)


def test_arguments_are_converted_and_told_by_name() -> None:
    def train(layers: "list[Layer]", mode: Mode = None, **more: Unpack[Options]) -> None: ...  # type: ignore[assignment]

    given = {"layers": [{"width": 2}], "mode": None, "rate": 1.5}
    assert arguments(train, given, "m:f") == {**given, "layers": [Layer(2)]}
    with pytest.raises(ParameterError, match=r"`layers\[0\].mode` of `m:f` is Mode of 'fast'"):
        arguments(train, {"layers": [{"width": 2, "mode": 5}]}, "m:f")
    with pytest.raises(ParameterError, match="parameter `rate` of `m:f` is float, not str"):
        arguments(train, {"layers": [], "rate": "much"}, "m:f")
    with pytest.raises(ParameterError, match="`m:f` needs a value for `layers`"):
        arguments(train, {}, "m:f")


def test_what_an_annotation_names_for_type_checkers_only_is_left_alone() -> None:
    def train(data: "Nowhere", names: "list[Nowhere]", count: int) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    given = {"data": 1, "names": [2], "count": 3}
    assert arguments(train, given, "m:f") == given
    with pytest.raises(ParameterError, match="`names` of `m:f` is list, not int"):
        arguments(train, {**given, "names": 2}, "m:f")


TYPED = """
    from __future__ import annotations
    import hansard
    from dataclasses import dataclass
    from enum import Enum
    from typing import Literal

    class Mode(Enum):
        FAST = "fast"

    @dataclass
    class Layer:
        width: int
        mode: Mode

    class Job(hansard.Executor):
        def execute(
            self, layers: list[Layer], shape: tuple[int, int] = (1, 2), by: Literal["a"] = "a",
            mode: Mode = Mode.FAST,
        ):
            assert isinstance(layers[0], Layer) and layers[0].mode is Mode.FAST is mode
            return {"width": layers[0].width, "shape": repr(shape), "by": by}
"""


def test_values_of_forms_arrive_in_a_step_as_what_annotations_mean(tmp_path: Path) -> None:
    box = Box(tmp_path)
    given = {"layers": [{"width": 4, "mode": "fast"}], "shape": [3, 4], "mode": "fast"}
    executor = {"path": box.bundle("job", job=TYPED), "entry": "job:Job"}
    box.step["executor"] = {**executor, "parameters": given}
    assert box.result() == {"width": 4, "shape": "(3, 4)", "by": "a"}
    (tmp_path / "result.json").unlink()
    wrong = {"layers": [{"width": 4, "mode": "slow"}]}
    box.step["executor"] = {**executor, "parameters": wrong}
    failure = box.failure()
    assert failure["type"] == "hansard.errors.ParameterError"
    assert failure["message"] == (
        "parameter `layers[0].mode` of `job:Job` is Mode of 'fast', not another str"
    )
