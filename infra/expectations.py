"""What a dataset's tables are expected to be: a YAML text, checked before anything is read.

on_failure: block              # or warn
rows: {min: 1000, max: 10000000}
key: [id]                      # together unique, none of them null
strict: true                   # no other columns
columns:
  age: {type: integer, nullable: false, min: 0, max: 130}
  label: {in: [cat, dog]}
  mail: {matches: '.+@.+', unique: true}
  score: {max_null_share: 0.01}
"""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from domain.errors import Invalid
from domain.plain_data import flaw

MAX_TEXT_BYTES = 64 * 1024
MAX_COLUMNS = 2_000
MAX_DEPTH = 8

ColumnType = Literal["integer", "number", "text", "boolean", "date", "datetime"]
Scalar = bool | int | float | str
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Rows = Annotated[int, Field(ge=0)]
_BY_US = "Value error, "
_NUMBERS = ("integer", "number")
_TIMES = ("date", "datetime")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RowRange(_Part):
    """How many rows there may be, both ends included."""

    min: _Rows | None = None
    max: _Rows | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("`min` is more than `max`")
        return self


class ColumnExpectation(_Part):
    """What one column is expected to hold. Null cells fail `nullable` and `max_null_share` only."""

    type: ColumnType | None = None
    nullable: bool = True
    min: int | float | str | None = None  # text is a moment, ISO 8601, UTC unless it says otherwise
    max: int | float | str | None = None
    allowed: Annotated[list[Scalar], Field(min_length=1, max_length=1_000)] | None = Field(
        default=None, alias="in"
    )
    matches: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None
    unique: bool = False
    max_null_share: Annotated[int | float, Field(ge=0, le=1)] | None = None

    @property
    def pattern(self) -> str | None:
        """`matches` for the whole of a cell, in the syntax of Rust's regular expressions."""
        return None if self.matches is None else rf"\A(?:{self.matches})\z"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_ends(self)
        _check_pattern(self)
        return self


class Expectations(_Part):
    """All that is expected of a dataset's tables."""

    on_failure: Literal["block", "warn"] = "block"
    rows: RowRange | None = None
    key: Annotated[list[_Name], Field(max_length=50)] = []
    columns: Annotated[dict[_Name, ColumnExpectation], Field(max_length=MAX_COLUMNS)] = {}
    strict: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of their canonical form: comments and layout do not count."""
        return sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()


def read_expectations(text: str) -> Expectations:
    """The expectations in a YAML text. Raises Invalid with the line or the field that is wrong."""
    raw = _read_yaml(text)
    if not isinstance(raw, dict) or not raw:
        raise _invalid("", "is a mapping with `columns`, `key`, `rows`, `strict` or `on_failure`")
    found = flaw(raw)
    if found is not None:
        raise _invalid(*found)
    try:
        return Expectations.model_validate(raw)
    except ValidationError as error:
        raise _refusal(error) from None


def moment(text: str) -> datetime:
    """An ISO 8601 date or time as a time of UTC without zone. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)


def _refusal(error: ValidationError) -> Invalid:
    first = error.errors()[0]
    steps = [str(step) for step in first["loc"]]
    # Behind the field, pydantic names the type it tried in vain.
    place = steps[:3] + [step for step in steps[3:] if step.isdecimal()]
    return _invalid("".join(f".{step}" for step in place), first["msg"].removeprefix(_BY_US))


def _invalid(where: str, what: str) -> Invalid:
    return Invalid(f"expectations{where}: {what}"[:500], field=f"expectations{where}"[:200])


def _read_yaml(text: str) -> Any:
    if len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise _invalid("", f"more than {MAX_TEXT_BYTES} bytes")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, stricter still
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _invalid("", f"not YAML: {' '.join(str(error).split())}") from None


def _check_ends(column: ColumnExpectation) -> None:
    ends = [end for end in (column.min, column.max) if end is not None]
    texts = [end for end in ends if isinstance(end, str)]
    allowed = (None, *_TIMES) if texts else (None, *_NUMBERS)
    if ends and column.type not in allowed:
        raise ValueError(f"a column of type `{column.type}` has no `min` or `max` like this")
    if 0 < len(texts) < len(ends):
        raise ValueError("`min` and `max` are of different types")
    values: list[Any] = [_moment(end) if isinstance(end, str) else end for end in ends]
    if len(values) == 2 and values[0] > values[1]:
        raise ValueError("`min` is more than `max`")


def _moment(text: str) -> datetime:
    try:
        return moment(text)
    except ValueError:
        raise ValueError(f"`{text[:50]}` is neither a number nor an ISO 8601 time") from None


def _check_pattern(column: ColumnExpectation) -> None:
    if column.matches is None or column.pattern is None:
        return
    if column.type not in (None, "text"):
        raise ValueError("`matches` is for text")
    import polars as pl  # noqa: PLC0415 - it takes 100 MB, and only patterns need it

    try:
        # Alone too: parentheses that only balance inside ours would mean something else.
        for pattern in (column.matches, column.pattern):
            pl.Series([""]).str.contains(pattern)
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n\n")[0].strip().splitlines()[-1]
        raise ValueError(f"`matches` is no pattern: {reason}") from None


class _Loader(yaml.SafeLoader):
    """Safe, and without aliases (they explode), times (text here), tags, depth, repeated keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _refused("aliases and anchors are not allowed", event)
        if getattr(event, "tag", None) is not None:
            raise _refused("tags are not allowed", event)
        if self._depth > MAX_DEPTH:
            raise _refused(f"nested deeper than {MAX_DEPTH} levels", event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in keys or name == "<<":
                raise _refused(f"the key `{name[:100]}` is not allowed here or there twice", key)
            keys.add(name)
        return super().construct_mapping(node, deep)


def _refused(what: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=where.start_mark)
