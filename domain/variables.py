"""Environment variables that a run gives to its step: which names, how many, how large."""

import re
from collections.abc import Mapping
from typing import Any

from domain.errors import Invalid
from domain.plain_data import holds_text
from domain.secret_references import named_secret

MAX_VARIABLES = 100
MAX_VARIABLES_BYTES = 64 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_RESERVED = re.compile(r"(?:LD_|PYTHON|HANSARD_|CUDA_VISIBLE).*")
_OURS = frozenset(
    {
        *("PATH", "HOME", "PWD", "TMPDIR", "LANG", "TZ", "CUBLAS_WORKSPACE_CONFIG"),
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    }
)
"""What the platform sets for every step."""


def checked_variables(variables: Mapping[str, Any]) -> dict[str, Any]:
    """At most 100 variables of 64 KiB in all, none of them the platform's own. Raises Invalid.

    The value of one is text, or names a secret: `{"secret": NAME}`.
    """
    if len(variables) > MAX_VARIABLES:
        detail = f"{len(variables)} variables, at most {MAX_VARIABLES}"
        raise Invalid(detail, field="variables")
    for name, value in variables.items():
        _check(name, value)
    size = sum(len(name.encode()) + len(_text(each).encode()) for name, each in variables.items())
    if size > MAX_VARIABLES_BYTES:
        detail = f"the variables have {size} bytes, at most {MAX_VARIABLES_BYTES}"
        raise Invalid(detail, field="variables")
    return dict(variables)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(named_secret(value))


def _check(name: str, value: Any) -> None:
    field = f"variables.{name}"
    if not _NAME.fullmatch(name):
        what = "1 to 128 letters, digits and _, no digit first"
        raise Invalid(f"a variable cannot be named {name!r}: {what}", field="variables")
    if name in _OURS or _RESERVED.fullmatch(name):
        raise Invalid(f"`{name}` is set by the platform", field=field)
    if not isinstance(value, str) and named_secret(value) is None:
        raise Invalid(f"`{name}` is neither text nor names a secret", field=field)
    if not holds_text(_text(value)):
        raise Invalid(f"`{name}` contains NUL or half a character", field=field)
