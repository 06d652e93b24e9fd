"""Roles and candidates written as a line or two of source, and the verdict on them."""

from textwrap import dedent, indent
from typing import Any, NamedTuple

from domain.signatures.extraction import extract
from domain.signatures.matching import Fit, Offer, match, roles_of_slot
from domain.signatures.sources import Sources
from infra.shipped_roles import sdk_sources

PRELUDE = """
from __future__ import annotations
import abc, collections.abc, contextlib, dataclasses, enum, functools, typing
from collections.abc import (
    AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence,
)
from dataclasses import dataclass, field
from typing import (
    Annotated, Any, AnyStr, Generic, Literal, NewType, NotRequired, Optional, ParamSpec, Protocol,
    Required, Self, TypedDict, TypeVar, TypeVarTuple, Union, Unpack, overload,
)
from hansard import All, Examples, Executor, Model, Slot, Slots
T = TypeVar("T")
N = TypeVar("N", bound=int)
P = ParamSpec("P")
"""


class Case(NamedTuple):
    """A role and a candidate as bodies of classes, and what must be said of them."""

    role: str
    candidate: str
    verdict: str = ""
    reason: str = ""
    around: str = ""
    """What stands at the top of both modules."""


def signature(source: str, kind: str = "model", entry: str = "m:C", **more: str) -> dict[str, Any]:
    """The signature of a class in a bundle over the SDK."""
    files = {"m.py": source} | {f"{name}.py": text for name, text in more.items()}
    sources = Sources({name: text.encode() for name, text in files.items()}, sdk_sources())
    return extract(sources, entry, kind)


def a_class(head: str, body: str) -> str:
    """A class of these lines; a candidate that is a whole class stays what it is."""
    text = dedent(body).strip("\n")
    return text if "class C" in text else f"{head}\n{indent(text, '    ') or '    ...'}\n"


def offer_of(candidate: str, around: str = "") -> Offer:
    """What a candidate offers."""
    source = f"{PRELUDE}{dedent(around)}\n{a_class('class C:', candidate)}"
    return Offer.of(signature(source))


def fit_of(case: Case) -> Fit:
    """The verdict on a case."""
    role = dedent(case.role).strip("\n")
    body = role if "class R" in role else f"class R(Protocol):\n{indent(role, '    ')}"
    job = "class C(Executor):\n    part: Slot[R]\n    def execute(self): ...\n"
    source = f"{PRELUDE}{dedent(case.around)}\n{body}\n{job}"
    roles = roles_of_slot(signature(source, "executor"), "part")
    return match(roles, offer_of(case.candidate, case.around))
