"""JSON Schema from annotations: what is read, what is checked, and what is left open."""

from functools import partial
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from domain.signatures.constraints import is_quick
from domain.signatures.docstrings import parameter_help
from tests.unit.signature_box import PRELUDE, signature
from tests.unit.yardstick import SECOND, cost

AROUND = """
import annotated_types, enum, pydantic
from annotated_types import Ge, Gt, Le, Len, Lt, MultipleOf
from dataclasses import KW_ONLY
from hansard import Secret
from pydantic import BaseModel, Field, PositiveInt

class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"

class Level(enum.IntEnum):
    LOW = enum.auto()
    HIGH = enum.auto()

class Word(enum.StrEnum):
    ONE = enum.auto()

class Odd(enum.Enum):
    A = object()

@dataclass
class Adam:
    '''A method.

    Args:
        rate: how fast
    '''
    rate: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)
    _: KW_ONLY
    decay: float | None = None
    cache: dict = field(init=False)
    kind: typing.ClassVar[str] = "adam"

@dataclass
class Train:
    optimiser: Adam
    mode: Mode = Mode.FAST
    sizes: list[int] = field(default_factory=list)

class Options(TypedDict, total=False):
    a: Required[int]
    b: str

class Net(BaseModel):
    width: int = Field(8, ge=1, description="units")
    name: str = Field(min_length=1, max_length=9)
    inner: Train | None = None

class Tree(BaseModel):
    children: list["Tree"] = []

Steps = NewType("Steps", int)
Pair = tuple[int, str]
"""


def form(parameters: str, around: str = AROUND, doc: str = "") -> dict[str, Any]:
    body = f"    def __init__(self, {parameters}):\n        '''{doc}'''\n"
    found: dict[str, Any] = signature(f"{PRELUDE}{around}\nclass C:\n{body}")["parameters"]
    return found


def schema_of(annotation: str) -> dict[str, Any]:
    found: dict[str, Any] = form(f"x: {annotation}")["properties"]["x"]
    return found


ADAM = {"rate": 0.5, "betas": [0.1, 0.2], "decay": None}
READ: list[tuple[str, list[Any], list[Any]]] = [
    ("int", [1], ["1", 1.5, None]),
    ("float", [1, 1.5], ["x"]),
    ("bool", [True], [1]),
    ("str", ["x"], [1]),
    ("list", [[], [1, "x"]], [{}]),
    ("list[int]", [[], [1]], [["x"], 1]),
    ("typing.Sequence[str]", [["a"]], ["a"]),
    ("set[int]", [[1, 2]], [[1, 1]]),
    ("tuple[int, str]", [[1, "a"]], [[1], [1, 2], [1, "a", 3]]),
    ("tuple[int, ...]", [[], [1, 2]], [["a"]]),
    ("Pair", [[1, "a"]], [[1, 2]]),
    ("dict[str, int]", [{}, {"a": 1}], [{"a": "b"}, []]),
    ("int | None", [1, None], ["x"]),
    ("'int | str'", [1, "x"], [None]),
    ("Optional[int]", [1, None], ["x"]),
    ("Union[int, str]", [1, "x"], [None]),
    ("Literal['sgd', 'adam']", ["sgd"], ["other"]),
    ("Literal[1, None]", [1, None], [2]),
    ("Steps", [3], ["x"]),
    ("PositiveInt", [1], [0]),
    ("Annotated[int, 'words']", [1], ["x"]),
    ("Annotated[int, Ge(1), Lt(5)]", [1, 4], [0, 5]),
    ("Annotated[float, annotated_types.Gt(0), Le(1)]", [0.5, 1], [0, 2]),
    ("Annotated[float, annotated_types.Interval(ge=0, le=1)]", [0, 1], [-1, 2]),
    ("Annotated[int, MultipleOf(8)]", [16], [3]),
    ("Annotated[str, Len(1, 3)]", ["a", "abc"], ["", "abcd"]),
    ("Annotated[list[int], Len(1)]", [[1]], [[]]),
    ("Annotated[int, Field(ge=2, multiple_of=2)]", [2], [1, 3]),
    ("Annotated[str, Field(pattern='^[a-z]+$')]", ["abc"], ["A", "a" * 300]),
    ("Annotated[Annotated[int, Ge(1)], Le(2)]", [1, 2], [0, 3]),
    ("Mode", ["fast"], ["FAST", 1]),
    ("Level", [1, 2], [0, "LOW"]),
    ("Word", ["one"], ["ONE"]),
    ("Adam", [{}, ADAM], [{"rate": "x"}, {"other": 1}, {"cache": {}}, {"kind": "x"}]),
    ("Train", [{"optimiser": ADAM, "mode": "slow"}], [{}, {"optimiser": {"decay": "x"}}]),
    ("Options", [{"a": 1}, {"a": 1, "b": "x"}], [{}, {"a": "x"}]),
    (
        "Net",
        [{"name": "n", "inner": {"optimiser": {}}}],
        [{}, {"name": ""}, {"name": "n", "width": 0}],
    ),
    ("list[Net]", [[{"name": "n"}]], [[{}]]),
    ("Tree", [{"children": [{}]}], [{"children": 1}]),
    ("Secret", ["s3"], [1]),
]


@pytest.mark.parametrize(("annotation", "good", "bad"), READ)
def test_a_value_is_checked_as_its_annotation_says(
    annotation: str, good: list[Any], bad: list[Any]
) -> None:
    schema = schema_of(annotation)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert all(validator.is_valid(value) for value in good)
    assert not any(validator.is_valid(value) for value in bad)


@pytest.mark.parametrize(
    "annotation",
    [
        *("Path", "np.ndarray", "Literal[Mode.FAST]", "'not valid ('", "list[Path]", "f(x)", "Any"),
        *("Odd", "C", "object", "Callable[[int], int]", "Undefined[int]"),
    ],
)
def test_what_cannot_be_read_allows_anything(annotation: str) -> None:
    schema = schema_of(annotation)
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid([object.__name__])


def test_what_a_form_cannot_ask_for_whole_is_no_field_of_a_method() -> None:
    around = f"{PRELUDE}{AROUND}\nclass C:\n    def f(self, "
    for annotation, asked in (
        *(("int", True), ("Net", True), ("dict[int, int]", False), ("list[Path]", False)),
        *(("Tree", False), ("Any", False)),
    ):
        parameters = signature(f"{around}x: {annotation}): ...\n")["methods"]["f"]["parameters"]
        assert ("schema" in parameters[0]) is asked, annotation


def test_parameters_without_default_are_required_and_others_unknown_are_refused() -> None:
    schema = form("a, b: int = 2, *, c, d=None")
    assert schema["required"] == ["a", "c"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["b"] == {"type": "integer", "default": 2}
    assert schema["properties"]["d"] == {"default": None}


def test_a_function_that_takes_keywords_is_open() -> None:
    assert form("**more")["additionalProperties"] is True
    assert signature("class C: ...\n")["parameters"]["additionalProperties"] is False
    unseen = "import torch\nclass C(torch.nn.Linear): ...\n"
    assert signature(unseen)["parameters"]["additionalProperties"] is True


def test_keywords_of_a_typed_dict_are_parameters() -> None:
    schema = form("**options: Unpack[Options]")
    assert schema["required"] == ["a"]
    assert schema["additionalProperties"] is False


def test_a_default_that_is_computed_makes_the_parameter_optional_without_a_default() -> None:
    schema = form("a=compute(), b=(1, 2), c=-1.5, d: Mode = Mode.SLOW")
    assert schema["required"] == []
    assert schema["properties"]["a"] == {}
    assert schema["properties"]["b"] == {"default": [1, 2]}
    assert schema["properties"]["c"] == {"default": -1.5}
    assert schema["properties"]["d"]["default"] == "slow"


def test_a_secret_is_never_shown_and_has_no_default() -> None:
    assert form("key: Secret = 'abc'")["properties"]["key"] == {
        "type": "string",
        "format": "secret",
        "writeOnly": True,
    }


def test_a_class_made_of_fields_has_the_constructor_that_python_makes() -> None:
    found = signature(f"{PRELUDE}{AROUND}\n@dataclass\nclass C(Adam):\n    more: int = 1\n")
    schema = found["parameters"]
    assert list(schema["properties"]) == ["rate", "betas", "decay", "more"]
    assert schema["properties"]["betas"]["default"] == [0.9, 0.99]
    model = signature(f"{PRELUDE}{AROUND}\nclass C(Net):\n    more: int\n")["parameters"]
    assert model["required"] == ["name", "more"]


def test_help_comes_from_docstrings_and_from_constraints() -> None:
    schema = form(
        "rate: float, size: Annotated[int, Field(description='units')]",
        doc="""Learn.

        Args:
            rate: how fast,
                from 0 to 1
            size (int): unused
        """,
    )
    assert schema["properties"]["rate"]["description"] == "how fast, from 0 to 1"
    assert schema["properties"]["size"]["description"] == "units"
    assert schema_of("Adam")["properties"]["rate"]["description"] == "how fast"


@pytest.mark.parametrize(
    "docstring",
    [
        "x.\n\n:param int rate: how fast,\n    really\n:param size: how much\n:returns: y",
        "x.\n\nArgs:\n    rate (float): how fast,\n        really\n    size: how much\n\n"
        "Returns:\n    y: z",
        "x.\n\nParameters\n----------\nrate : float\n    how fast,\n    really\n"
        "size\n    how much\n\nReturns\n-------\ny : int\n    z",
    ],
)
def test_three_styles_of_docstrings_are_read(docstring: str) -> None:
    assert parameter_help(docstring) == {"rate": "how fast, really", "size": "how much"}


def test_docstrings_of_no_style_say_nothing() -> None:
    for docstring in (None, "", "Learn.", "Args:", "Note: this", "a: b\n---\n", ":param", "\n\n"):
        assert parameter_help(docstring) == {}


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*b", "a*a*a*b", r"(\w+)\1", "(?=a+)b", "["])
def test_a_pattern_that_could_take_for_ever_is_said_in_words_only(pattern: str) -> None:
    assert not is_quick(pattern)
    schema = schema_of(f"Annotated[str, Field(pattern={pattern!r})]")
    assert schema == {"type": "string", "description": f"matches `{pattern}`"}


def test_a_pattern_that_is_checked_is_quick_on_the_longest_text_that_it_sees() -> None:
    for pattern in (r"^\w+$", r"\s*\S*x", "^[a-z]{1,20}-[0-9]+$"):
        schema = schema_of(f"Annotated[str, Field(pattern={pattern!r})]")
        validator = Draft202012Validator(schema)
        assert next(iter(validator.iter_errors("a" * 10**6))).validator == "maxLength"
        assert cost(partial(list, validator.iter_errors(" " * 256))) < SECOND
