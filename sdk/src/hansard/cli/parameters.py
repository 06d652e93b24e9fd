"""How parameters and slots are written on the command line."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import typer

_PLACE = re.compile(r"[^\W\d]\w*(\.([^\W\d]\w*|0|[1-9]\d*))*")


Kept: TypeAlias = tuple[Literal["version", "model"], str | None]
"""As what the result of a slot is kept, and the name of a new model."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of the executor, of what is in each slot, and of methods of the latter."""

    executor: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, dict[str, Any]] = field(default_factory=dict)
    methods: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def owner(self, path: str, slots: Mapping[str, str]) -> dict[str, Any] | None:
        """Where a value belongs: `epochs`, `SLOT.width` or `SLOT.predict.threshold`; or nowhere."""
        place, dot, _ = path.rpartition(".")
        if not dot:
            return self.executor
        if place in slots:
            return self.slots.setdefault(place, {})
        slot, _, method = place.rpartition(".")
        if slot in slots and method.isidentifier():
            return self.methods.setdefault(slot, {}).setdefault(method, {})
        return None


def parse_slots(texts: Iterable[str]) -> dict[str, str]:
    """`model=NAME` to place and reference; a slot that is named more often holds many.

    >>> parse_slots(["model=digits-net:3", "data=digits", "data=letters"])
    {'model': 'digits-net:3', 'data.0': 'digits', 'data.1': 'letters'}
    """
    pairs = [_assignment(text, "--slot") for text in texts]
    times = Counter(name for name, _ in pairs)
    seen: Counter[str] = Counter()
    slots: dict[str, str] = {}
    for name, value in pairs:
        place = f"{name}.{seen[name]}" if times[name] > 1 else name
        seen[name] += 1
        if place in slots:
            raise typer.BadParameter(f"slot `{place}` is given twice", param_hint="--slot")
        slots[place] = value
    return slots


def parse_parameters(texts: Iterable[str], slots: Mapping[str, str]) -> Parameters:
    """`epochs=5` for the executor, `model.width=32` for what is in slot `model`.

    `data.1.size=9` is for the second part in slot `data`, `trainer.model.width=8` for what is in
    the slot of an executor; `model.predict.threshold=0.5` is for a method of what is in slot
    `model`. A value is JSON where it can be read as such, else text.

    >>> found = parse_parameters(["epochs=5", "m.width=32", "m.predict.top=3"], {"m": "net"})
    >>> found.executor, found.slots, found.methods
    ({'epochs': 5}, {'m': {'width': 32}}, {'m': {'predict': {'top': 3}}})
    """
    parameters = Parameters()
    for text in texts:
        path, value = _assignment(text, "--param")
        slot, _, name = path.rpartition(".")
        owner = parameters.owner(path, slots)
        if owner is None:
            hint = f"say which, as in `{slot}.0`" if f"{slot}.0" in slots else "none is given"
            raise typer.BadParameter(
                f"`{path}`: no --slot {slot}=...: {hint}", param_hint="--param"
            )
        if name in owner:
            raise typer.BadParameter(f"`{path}` is given twice", param_hint="--param")
        owner[name] = _value(value)
    return parameters


def parse_keep(texts: Iterable[str], slots: Mapping[str, str]) -> dict[str, Kept]:
    """`model` keeps a version of what is in slot `model`, `model=NAME` a new model.

    >>> parse_keep(["model", "teacher=wise net"], {"model": "net", "teacher": "net"})
    {'model': ('version', None), 'teacher': ('model', 'wise net')}
    """
    kept: dict[str, Kept] = {}
    for text in texts:
        slot, equals, name = text.partition("=")
        if slot not in slots:
            raise typer.BadParameter(f"no --slot {slot}=... is given", param_hint="--keep")
        if slot in kept:
            raise typer.BadParameter(f"slot `{slot}` is given twice", param_hint="--keep")
        kept[slot] = ("model", name) if equals else ("version", None)
    return kept


def parse_seeds(text: str | None) -> int | list[int] | None:
    """How many seeds to draw, or with a comma the seeds themselves.

    >>> parse_seeds("5"), parse_seeds("1,2,3"), parse_seeds("7,")
    (5, [1, 2, 3], [7])
    """
    if text is None:
        return None
    parts = [part for part in text.split(",") if part.strip()]
    if not parts or not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise typer.BadParameter(f"`{text}` reads neither 5 nor 1,2,3", param_hint="--seeds")
    return [int(part) for part in parts] if "," in text else int(text)


def parse_tags(texts: Iterable[str]) -> dict[str, str]:
    """`key=value` to tags; values stay text."""
    return dict(_assignment(text, "--tag", check=False) for text in texts)


def parse_env(texts: Iterable[str]) -> dict[str, str]:
    """`NAME=value` to environment variables, each name once."""
    found: dict[str, str] = {}
    for text in texts:
        name, value = _assignment(text, "--env", check=False)
        if name in found:
            raise typer.BadParameter(f"`{name}` is given twice", param_hint="--env")
        found[name] = value
    return found


def parse_variables(env: Iterable[str], secret_env: Iterable[str]) -> dict[str, Any]:
    """`NAME=value` and `NAME=SECRET` to environment variables, each name once.

    >>> parse_variables(["MODE=small"], ["HUB_TOKEN=hub"])
    {'MODE': 'small', 'HUB_TOKEN': {'secret': 'hub'}}
    """
    found: dict[str, Any] = dict(parse_env(env))
    for text in secret_env:
        name, secret = _assignment(text, "--secret-env", check=False)
        if name in found:
            raise typer.BadParameter(f"`{name}` is given twice", param_hint="--secret-env")
        found[name] = {"secret": secret}
    return found


def parse_attributes(texts: Iterable[str]) -> dict[str, Any]:
    """`key=value` to attributes of a user; a value is JSON where it can be read as such, else text.

    >>> parse_attributes(["max_gpus=4", "team=blue"])
    {'max_gpus': 4, 'team': 'blue'}
    """
    pairs = (_assignment(text, "KEY=VALUE", check=False) for text in texts)
    return {name: _value(value) for name, value in pairs}


def parse_metrics(texts: Iterable[str]) -> dict[str, float]:
    """`acc=0.93` to numbers.

    >>> parse_metrics(["acc=0.93"])
    {'acc': 0.93}
    """
    found = {}
    for text in texts:
        name, value = _assignment(text, "--metric", check=False)
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise typer.BadParameter(f"`{value}` is no number", param_hint="--metric")
    return found


def parse_numbers(texts: Iterable[str]) -> dict[str, int | None]:
    """`champion=4` to the number of a version; an empty one to None.

    >>> parse_numbers(["champion=4", "old="])
    {'champion': 4, 'old': None}
    """
    found: dict[str, int | None] = {}
    for text in texts:
        name, value = _assignment(text, "ALIAS=NUMBER", check=False)
        if name in found or not (value == "" or (value.isascii() and value.isdigit())):
            raise typer.BadParameter(
                f"`{text}` does not read ALIAS=NUMBER, each alias once", param_hint="ALIAS=NUMBER"
            )
        found[name] = int(value) if value else None
    return found


def _assignment(text: str, option: str, *, check: bool = True) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or (check and not _PLACE.fullmatch(name)):
        raise typer.BadParameter(f"`{text}` does not read NAME=VALUE", param_hint=option)
    return name, value


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(text: str) -> Any:
    raise ValueError(text)  # NaN and Infinity are no JSON: they stay text
