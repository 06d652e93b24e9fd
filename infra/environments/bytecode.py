"""Bytecode of installed packages: compiled once for each source text, then linked.

Compiling is most of what an environment costs whose packages are there already. What a source
compiles to follows from its text and the interpreter alone, so the cache is named by both; the
place is set when it is imported. No source is looked at again for changes (PEP 552, unchecked
hash): an environment never changes.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

_COMPILED = "__pycache__"
_COMPILE_TIMEOUT_S = 1800.0
_TAG = "import importlib.util, sys; "
_TAG += "print(sys.implementation.cache_tag, importlib.util.MAGIC_NUMBER.hex())"
_COMPILE = ("-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-i", "-")


def add_bytecode(environment: Path, cache: Path, held: Sequence[int] = ()) -> None:
    """Give each module of an environment its bytecode; what does not compile has none.

    `cache` lies on the same disk. `held` are descriptors that the compiler keeps open.
    """
    python = environment / "bin" / "python"
    tag, magic = _answer(python, "-c", _TAG).split()
    shelf = cache / f"{tag}-{magic}"
    lacking: list[tuple[Path, Path, Path]] = []
    for source in _modules(environment / "lib"):
        kept = shelf / _name(source.read_bytes())
        made = source.parent / _COMPILED / f"{source.stem}.{tag}.pyc"
        made.parent.mkdir(exist_ok=True)
        if not _link(kept, made):
            lacking.append((source, made, kept))
    if lacking:
        _answer(
            python, *_COMPILE, stdin="".join(f"{source}\n" for source, _, _ in lacking), held=held
        )
    for _, made, kept in lacking:
        kept.parent.mkdir(parents=True, exist_ok=True)
        _link(made, kept)


def drop_unused(cache: Path) -> None:
    """Remove what no environment has any more."""
    for kept in cache.glob("*/*/*"):
        with suppress(FileNotFoundError):
            if kept.stat().st_nlink == 1:
                kept.unlink()


def _modules(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        if _COMPILED in folders:
            shutil.rmtree(Path(place, _COMPILED))  # what a wheel brings is not what we compile
            folders.remove(_COMPILED)
        for name in names:
            path = Path(place, name)
            if name.endswith(".py") and "\n" not in str(path) and not path.is_symlink():
                yield path


def _name(text: bytes) -> str:
    digest = blake3(text).hexdigest()
    return f"{digest[:2]}/{digest[2:]}"


def _link(source: Path, target: Path) -> bool:
    """Give a file another name; False if it is not there."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno != errno.EMLINK:  # modules without text are many
            raise
        shutil.copyfile(source, target)
    return True


def _answer(python: Path, *arguments: str, stdin: str = "", held: Sequence[int] = ()) -> str:
    """What python prints. It sees nothing of the environment: a package cannot run code here."""
    done = subprocess.run(
        [python, "-I", "-S", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_COMPILE_TIMEOUT_S,
        pass_fds=held,
        check=False,  # a source of another Python does not compile
    )
    return done.stdout
