"""What can be said about a bundle's Python sources without running them."""

import ast
import contextlib
import io
import sys
import tokenize
import warnings
from collections.abc import Iterator, Mapping

from hansard.formats.problems import BundleError

MAX_SOURCE_BYTES = 512 * 1024
MAX_SOURCES_BYTES = 2 * 1024 * 1024
"""Of one Python file and of all together: parsing takes some 300 times the memory of the text."""
MAX_FSTRING_CHARS = 16 * 1024

# Python 3.11 takes time in proportion to an f-string's length times its braces (78 s were seen
# for 1 MiB); below this product for the whole file that is a few milliseconds.
_HARMLESS_FSTRING_COST = 2**26

_BASES = {"Executor": "executor", "Model": "model", "DatasetLoader": "dataset_loader"}


def check_sources(files: Mapping[str, bytes], entry: str) -> None:
    """Every Python file parses, ``module:Class`` is defined. Raises BundleError with the line."""
    sources = {name: data for name, data in files.items() if name.endswith(".py")}
    if sum(map(len, sources.values())) > MAX_SOURCES_BYTES:
        raise BundleError("source_too_large", f"more than {MAX_SOURCES_BYTES} bytes of Python")
    entry_file = _entry_file(files, entry)
    for name, data in sources.items():
        tree = parse(name, data)
        if name == entry_file and entry.partition(":")[2] not in dict(_classes(tree)):
            detail = f"no class `{entry.partition(':')[2]}` at the top level of this file"
            raise BundleError("missing_entry", detail, name)


def parse(name: str, data: bytes) -> ast.Module:
    """The syntax tree of a UTF-8 source. Raises BundleError with the file and line."""
    if len(data) > MAX_SOURCE_BYTES:
        raise BundleError("source_too_large", f"more than {MAX_SOURCE_BYTES} bytes", name)
    try:
        _check_encoding(data)
        if len(data) * data.count(b"{") > _HARMLESS_FSTRING_COST:
            _check_fstrings(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape is the author's affair
            return ast.parse(data, name)
    except SyntaxError as error:
        where = f"{name}:{error.lineno}" if error.lineno else name
        raise BundleError("syntax_error", f"{error.msg}", where) from None
    except (ValueError, RecursionError, MemoryError, OverflowError):
        raise BundleError("syntax_error", "the file cannot be parsed", name) from None


def find_entries(files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(entry, kind) of each top-level class deriving from a hansard base class by its name."""
    return [
        (f"{_module(name)}:{class_name}", kind)
        for name, data in sorted(files.items())
        if name.endswith(".py")
        for class_name, kind in _roles(parse(name, data))
    ]


def _roles(tree: ast.Module) -> Iterator[tuple[str, str]]:
    names = {
        alias.asname or alias.name: _BASES[alias.name]
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "hansard"
        for alias in node.names
        if alias.name in _BASES
    }
    for name, node in _classes(tree):
        for base in node.bases:
            match base:
                case ast.Name(id=found) if found in names:
                    yield name, names[found]
                case ast.Attribute(value=ast.Name(id="hansard"), attr=found) if found in _BASES:
                    yield name, _BASES[found]


def _classes(tree: ast.Module) -> Iterator[tuple[str, ast.ClassDef]]:
    return ((node.name, node) for node in tree.body if isinstance(node, ast.ClassDef))


def _check_encoding(data: bytes) -> None:
    """UTF-8 only: other codecs cost more than they are worth, and some run for ever."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    if encoding not in ("utf-8", "utf-8-sig"):
        raise SyntaxError("sources must be UTF-8")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SyntaxError("sources must be UTF-8", ("", line, None, None)) from None


def _check_fstrings(data: bytes) -> None:
    with contextlib.suppress(tokenize.TokenError):  # then the parser has the better words
        for token in tokenize.tokenize(io.BytesIO(data).readline):
            if token.type != tokenize.STRING or len(token.string) <= MAX_FSTRING_CHARS:
                continue
            if "f" in token.string[:2].lower():
                detail = f"an f-string has at most {MAX_FSTRING_CHARS} characters"
                raise SyntaxError(detail, ("", token.start[0], None, None))


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _entry_file(files: Mapping[str, bytes], entry: str) -> str:
    module = entry.partition(":")[0]
    if module.partition(".")[0] in sys.stdlib_module_names:
        detail = f"`{module}` is a module of the standard library: rename the file"
        raise BundleError("missing_entry", detail, entry)
    path = module.replace(".", "/")
    for candidate in (f"{path}/__init__.py", f"{path}.py"):  # in the order of Python's import
        if candidate in files:
            return candidate
    raise BundleError("missing_entry", f"there is no module `{module}` in the bundle", entry)
