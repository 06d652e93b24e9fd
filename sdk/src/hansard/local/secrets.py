"""Secrets of a local run: each is taken from a variable of the environment, or asked for."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hansard.client_errors import HansardError

PREFIX = "HANSARD_SECRET_"

Ask = Callable[[str], str]
"""Asks for the value of the secret with a name; an empty answer is none."""


def variable_of(name: str) -> str:
    """The environment variable that has the value of a secret in a local run.

    >>> variable_of("hub token")
    'HANSARD_SECRET_HUB_TOKEN'
    """
    return PREFIX + re.sub(r"[^A-Z0-9]", "_", name.upper())


def named_secrets(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Place (a JSON pointer) and name of each `{"secret": NAME}` within a value.

    >>> list(named_secrets({"hub": {"secret": "token"}}, "/parameters"))
    [('/parameters/hub', 'token')]
    """
    if isinstance(value, Mapping):
        if value.keys() == {"secret"} and isinstance(value["secret"], str):
            yield place, value["secret"]
            return
        for key, each in value.items():
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            yield from named_secrets(each, f"{place}/{escaped}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from named_secrets(each, f"{place}/{number}")


def secret_values(names: Iterable[str], ask: Ask) -> dict[str, str]:
    """The values of secrets by name. Raises HansardError that names the first without one."""
    return {name: _value(name, ask) for name in dict.fromkeys(names)}


def _value(name: str, ask: Ask) -> str:
    variable = variable_of(name)
    found = os.environ.get(variable) or ask(name)
    if not found:
        raise HansardError(f"secret `{name}` has no value here: set {variable}")
    return found
