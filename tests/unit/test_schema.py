"""JSON Schema from annotations: what is read, and what is left open."""

import ast
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from domain.schema import annotation_schema, parameter_schema


def schema_of(annotation: str) -> dict[str, Any]:
    return annotation_schema(ast.parse(annotation, mode="eval").body)


def form(signature: str) -> dict[str, Any]:
    function = ast.parse(f"def f({signature}): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    return parameter_schema(function)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int", [1], ["1", 1.5, None]),
        ("float", [1, 1.5], ["x"]),
        ("bool", [True], [1]),
        ("str", ["x"], [1]),
        ("list[int]", [[], [1]], [["x"], 1]),
        ("typing.Sequence[str]", [["a"]], ["a"]),
        ("dict[str, int]", [{}, {"a": 1}], [{"a": "b"}, []]),
        ("int | None", [1, None], ["x"]),
        ("'int | str'", [1, "x"], [None]),
        ("Optional[int]", [1, None], ["x"]),
        ("Union[int, str]", [1, "x"], [None]),
        ("Literal['sgd', 'adam']", ["sgd"], ["other"]),
        ("Annotated[int, 'words']", [1], ["x"]),
    ],
)
def test_a_value_is_checked_as_its_annotation_says(
    annotation: str, good: list[Any], bad: list[Any]
) -> None:
    validator = Draft202012Validator(schema_of(annotation))
    assert all(validator.is_valid(value) for value in good)
    assert not any(validator.is_valid(value) for value in bad)


@pytest.mark.parametrize(
    "annotation", ["Path", "np.ndarray", "Literal[Mode.A]", "'not valid ('", "list[Path]", "f(x)"]
)
def test_what_cannot_be_read_allows_anything(annotation: str) -> None:
    schema = schema_of(annotation)
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid([object.__name__])


def test_parameters_without_default_are_required_and_others_unknown_are_refused() -> None:
    schema = form("self, a, b: int = 2, *, c, d=None")
    assert schema["required"] == ["a", "c"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["b"] == {"type": "integer", "default": 2}
    assert schema["properties"]["d"] == {"default": None}


def test_a_function_that_takes_keywords_is_open() -> None:
    assert form("self, **more")["additionalProperties"] is True
    assert parameter_schema(None)["additionalProperties"] is False


def test_a_default_that_is_computed_makes_the_parameter_optional_without_a_default() -> None:
    schema = form("self, a=compute(), b=(1, 2), c=-1.5")
    assert schema["required"] == []
    assert schema["properties"] == {"a": {}, "b": {"default": [1, 2]}, "c": {"default": -1.5}}
