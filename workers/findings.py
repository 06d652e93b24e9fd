"""What is recorded of a look into a dataset: the answer verified, and short enough to be kept.

The answer comes from a process that parsed files of strangers, so its shape is not trusted.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from domain.errors import Invalid
from domain.plain_data import storable
from domain.version import MAX_FINDINGS_BYTES
from infra.expectations import read_expectations
from workers.tables.process import TablesFailed

_ROOM_BYTES = MAX_FINDINGS_BYTES - 512  # less the names of the parts, and what says "trimmed"
_ERROR_CHARS = 2_000
_DETAILS = (
    ("quantiles",),
    ("std", "mean", "distinct", "stored_as"),
    ("nans", "min", "max", "min_length", "max_length"),
)
"""Members of columns that are left out first where a profile is too long, step by step."""
_LENGTHS = (1_000, 250, 60, 15, 4, 1)
_TOP_KEPT = 3


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Table(_Part):
    columns: list[dict[str, Any]]


class _Tables(_Part):
    tables: list[_Table]


class _Lost(_Part):
    reason: str


class _Profile(_Tables):
    files: list[dict[str, Any]]
    unreadable: list[_Lost]


class _Result(_Part):
    check: str
    column: str | None
    passed: bool
    failures: int


class _Check(_Part):
    passed: bool
    blocking: bool
    results: list[_Result]
    examples: list[dict[str, Any]]


class _Answer(_Part):
    profile: _Profile | None = None
    examples: _Tables | None = None
    check: _Check | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What `Version.record_profile` takes, and the arguments of `Version.record_check` if any."""

    profile: dict[str, Any]
    examples: dict[str, Any]
    error: str | None
    check: dict[str, Any] | None


def findings_of(answer: Mapping[str, Any], expectations: str | None = None) -> Findings:
    """An answer of the process for tables, which was told of these expectations.

    Raises TablesFailed if it makes no sense.
    """
    plain = storable(dict(answer))
    try:
        _Answer.model_validate(plain)
    except ValidationError:
        raise TablesFailed("the process that looks into tables gave a senseless answer") from None
    profile = plain.get("profile") or {"tables": [], "files": [], "unreadable": []}
    short, examples = fitted_profile(profile, plain.get("examples") or {"tables": []})
    check = plain.get("check")
    if check is not None and expectations is not None and profile["unreadable"]:
        # A count of rows, say, may hold without a look at any cell.
        lost = unreadable(expectations, profile["unreadable"][0]["reason"])
        check = {**lost, "results": lost["results"] + check["results"]}
        check["examples"] = plain["check"]["examples"]
    return Findings(short, examples, None, None if check is None else fitted_check(check))


def failed(error: str, expectations: str | None) -> Findings:
    """What is recorded where there is no answer."""
    check = None if expectations is None else unreadable(expectations, error)
    return Findings({}, {}, error[:_ERROR_CHARS], check)


def unreadable(expectations: str, why: str) -> dict[str, Any]:
    """The check of data that cannot be looked into: it fails, and blocks if failures do."""
    result: dict[str, Any] = {"check": "readable", "column": None, "passed": False}
    result |= {"observed": why[:_ERROR_CHARS], "failures": 1}
    blocking = _blocks(expectations)
    return {"passed": False, "blocking": blocking, "results": [result], "examples": {"checks": []}}


def fitted_profile(
    profile: dict[str, Any], examples: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """As much of both as one event holds, the profile first; `trimmed` tells what was shortened."""
    short = next(each for each in _shorter_profiles(profile) if size_of(each) <= _ROOM_BYTES)
    room = _ROOM_BYTES - size_of(short)
    return short, next(each for each in _shorter_examples(examples) if size_of(each) <= room)


def fitted_check(check: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `record_check`: failures first where not all results can be kept."""
    results = _fitted_results(check["results"])
    examples = check["examples"]
    while size_of(examples) > _ROOM_BYTES - size_of(results):
        examples = examples[: len(examples) // 2]
    told = {name: check[name] for name in ("passed", "blocking")}
    return {**told, "results": results, "examples": {"checks": examples}}


def size_of(value: Any) -> int:
    """Bytes as JSON, as the domain counts them."""
    return len(json.dumps(value, ensure_ascii=False).encode())


def _blocks(expectations: str) -> bool:
    try:
        return read_expectations(expectations).on_failure == "block"
    except Invalid:  # written under older rules: whoever reads them next is told what is wrong
        return True


def _fitted_results(results: Sequence[Mapping[str, Any]]) -> list[Any]:
    if size_of(results) <= _ROOM_BYTES:
        return list(results)
    ordered = kept = sorted(results, key=lambda result: bool(result["passed"]))
    while size_of(kept) > _ROOM_BYTES:
        kept = kept[: len(kept) // 2]
    left = ordered[len(kept) :]
    passed, failures = all(each["passed"] for each in left), sum(each["failures"] for each in left)
    rest = {"check": "left_out", "column": None, "passed": passed, "observed": len(left)}
    return [*kept, {**rest, "failures": failures}]


def _shorter_profiles(profile: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield profile
    for names in _DETAILS:
        profile = {**_without(profile, names), "trimmed": True}
        yield profile
    for most in _LENGTHS:
        yield _shortened(profile, most)
    yield {"tables": [], "files": [], "unreadable": [], "trimmed": True}


def _without(profile: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The profile with fewer members of each column."""
    tables = [
        {
            **table,
            "columns": [
                {name: value for name, value in column.items() if name not in names}
                for column in table["columns"]
            ],
        }
        for table in profile["tables"]
    ]
    return {**profile, "tables": tables}


def _shortened(value: Any, most: int) -> Any:
    """The value with at most so many members of each list in it."""
    if isinstance(value, list):
        return [_shortened(member, most) for member in value[:most]]
    if isinstance(value, dict):
        return {name: _shortened(member, most) for name, member in value.items()}
    return value


def _shorter_examples(examples: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield examples
    tables = [{**table, "rows": []} for table in examples["tables"]]
    yield {"tables": tables, "trimmed": True}
    yield {
        "tables": [
            {**table, "columns": [_with_short_top(column) for column in table["columns"]]}
            for table in tables
        ],
        "trimmed": True,
    }
    yield {"tables": [], "trimmed": True}


def _with_short_top(column: dict[str, Any]) -> dict[str, Any]:
    top = column.get("top")
    return {**column, "top": top[:_TOP_KEPT]} if isinstance(top, list) else column
