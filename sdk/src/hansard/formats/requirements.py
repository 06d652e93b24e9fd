"""Requirement lines of a bundle: PEP 508 names with versions and markers, nothing else.

No URLs, options, files or local paths: the platform alone decides where packages come from.
"""

import re
from collections.abc import Iterable

from hansard.formats.problems import BundleError

MAX_REQUIREMENTS = 200
MAX_REQUIREMENT_CHARS = 300

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_CLAUSE = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9._*+!-]+"
_CLAUSES = rf"{_CLAUSE}(?:\s*,\s*{_CLAUSE})*"
_REQUIREMENT = re.compile(
    rf"(?P<name>{_NAME})\s*(?:\[\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\]\s*)?"
    rf"(?:{_CLAUSES}|\(\s*{_CLAUSES}\s*\))?\s*(?:;(?P<marker>.+))?",
    re.ASCII,
)
_MARKER_TOKENS = {
    "v": r"(?:python_(?:full_)?version|os_name|sys_platform|extra|implementation_(?:name|version)"
    r"|platform_(?:release|system|version|machine|python_implementation))\b"
    r"|\"[^\"\\]*\"|'[^'\\]*'",
    "o": r"===|==|~=|!=|<=|>=|<|>|not\s+in\b|in\b",
    "j": r"and\b|or\b",
    "l": r"\(",
    "r": r"\)",
}
_MARKER_TOKEN = re.compile(
    r"\s*(?:" + "|".join(f"(?P<{kind}>{token})" for kind, token in _MARKER_TOKENS.items()) + ")",
    re.ASCII,
)


def parse_requirements(text: str, where: str) -> tuple[str, ...]:
    """The requirements of a requirements.txt, without comments and blank lines.

    Raises BundleError naming the line that is not a plain requirement.
    """
    lines = (
        (number, re.sub(r"(^|\s)#.*", "", line).strip())
        for number, line in enumerate(text.splitlines(), 1)
    )
    return check_requirements((f"{where}:{number}", line) for number, line in lines if line)


def check_requirements(requirements: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The second of each (where, requirement). Raises BundleError for the first bad one."""
    checked: list[str] = []
    for where, requirement in requirements:
        _check(requirement, where)
        checked.append(requirement)
        if len(checked) > MAX_REQUIREMENTS:
            detail = f"more than {MAX_REQUIREMENTS} requirements"
            raise BundleError("too_many_requirements", detail, where)
    return tuple(checked)


def _check(requirement: str, where: str) -> None:
    match = (
        _REQUIREMENT.fullmatch(requirement) if len(requirement) <= MAX_REQUIREMENT_CHARS else None
    )
    if match is None or not _is_marker(match["marker"]):
        raise BundleError(
            "invalid_requirement",
            f"`{requirement[:80]}` is not a package name with optional versions and markers; "
            "URLs, options and paths are not accepted",
            where,
        )
    if re.sub(r"[-_.]+", "-", match["name"]).lower() == "hansard":
        raise BundleError(
            "invalid_requirement", "`hansard` is provided by the platform: remove this line", where
        )


def _is_marker(marker: str | None) -> bool:
    """Reads the marker as symbols and folds comparisons, joins and brackets until one is left."""
    if marker is None:
        return True
    symbols, at, end = "", 0, len(marker.rstrip())
    while at < end:
        token = _MARKER_TOKEN.match(marker, at)
        if token is None or token.lastgroup is None:
            return False
        symbols, at = symbols + token.lastgroup, token.end()
    symbols, before = symbols.replace("vov", "b"), ""
    while symbols != before:
        before, symbols = symbols, symbols.replace("lbr", "b").replace("bjb", "b")
    return symbols == "b"
