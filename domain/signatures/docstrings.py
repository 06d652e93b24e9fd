"""Help for parameters from docstrings in the Google, NumPy and Sphinx styles."""

import inspect
import re
from collections.abc import Iterator

MAX_HELP_CHARS = 1000

_SPHINX = re.compile(
    r"^:(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:(.*)$"
)
_GOOGLE_HEADS = {"args:", "arguments:", "parameters:", "keyword args:", "other parameters:"}
_GOOGLE_HEADS |= {"keyword arguments:", "params:"}
_GOOGLE = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s?(.*)$")
_NUMPY_HEADS = {"parameters", "other parameters", "attributes"}
_NUMPY = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_RULE = re.compile(r"^-{3,}\s*$")


def parameter_help(docstring: str | None) -> dict[str, str]:
    """What a docstring says of each parameter; text of one line each."""
    if not docstring:
        return {}
    lines = inspect.cleandoc(docstring).splitlines()
    found: dict[str, list[str]] = {}
    for name, text in (*_sphinx(lines), *_google(lines), *_numpy(lines)):
        found.setdefault(name, []).append(text.strip())
    said = {name: " ".join(filter(None, texts)) for name, texts in found.items()}
    return {name: text[:MAX_HELP_CHARS] for name, text in said.items() if text}


def _sphinx(lines: list[str]) -> Iterator[tuple[str, str]]:
    name = None
    for line in lines:
        match = _SPHINX.match(line)
        if match:
            name = match[1]
            yield name, match[2]
        elif name and line[:1].isspace() and line.strip():
            yield name, line
        else:
            name = None


def _google(lines: list[str]) -> Iterator[tuple[str, str]]:
    name, inside, depth = None, False, 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip().lower() in _GOOGLE_HEADS and indent == 0:
            name, inside, depth = None, True, 0
        elif inside and line.strip():
            depth = depth or indent
            inside = indent > 0
            match = _GOOGLE.match(line.strip()) if inside and indent <= depth else None
            if match:
                name = match[1]
                yield name, match[2]
            elif inside and name:
                yield name, line


def _numpy(lines: list[str]) -> Iterator[tuple[str, str]]:
    names: list[str] = []
    inside = False
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if _RULE.match(following):
            inside, names = line.strip().lower() in _NUMPY_HEADS, []
        elif not inside or _RULE.match(line) or not line.strip():
            continue
        elif line[:1].isspace():
            for name in names:
                yield name, line
        else:
            match = _NUMPY.match(line)
            names = [each.strip().lstrip("*") for each in match[1].split(",")] if match else []
