"""Loads several bundles into one process so that each sees its own modules.

Two bundles may both have a ``model.py``. While code of a bundle imports, that bundle's top-level
modules stand in ``sys.modules`` and its folder is first on ``sys.path``; afterwards they step back.
An import hook does this for every import statement in a bundle's code, also one that runs later
inside a function. What can never be shadowed is the standard library.
"""

import builtins
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

Modules = dict[str, ModuleType]


class BundleSpace:
    """The modules of one unpacked bundle."""

    _lock = threading.RLock()
    _current: "BundleSpace | None" = None

    def __init__(self, root: Path) -> None:
        self.root = str(root.resolve())
        self._names = _top_level_names(root)
        self._modules: Modules = {}

    def load(self, entry: str) -> Any:
        """The object that ``module:Name`` names. Raises whatever importing the module raises."""
        module, _, name = entry.partition(":")
        with self.active():
            return getattr(importlib.import_module(module), name)

    @contextmanager
    def active(self) -> Iterator[None]:
        """This bundle's modules are the ones that imports find."""
        with BundleSpace._lock:
            before = BundleSpace._current
            if before is self:
                yield
                return
            outside = _take(self._names)
            sys.modules.update(self._modules)
            sys.path.insert(0, self.root)
            importlib.invalidate_caches()
            BundleSpace._current = self
            try:
                yield
            finally:
                BundleSpace._current = before
                sys.path.remove(self.root)
                self._modules = _take(self._names)
                sys.modules.update(outside)

    def publish(self) -> None:
        """Show the modules whose names are free to everybody, so that pickling finds classes."""
        for name, module in self._modules.items():
            sys.modules.setdefault(name, module)
        sys.path.append(self.root)


def install_import_hook(spaces: Sequence[BundleSpace], after: Callable[[], None]) -> None:
    """Let import statements in a bundle's files find that bundle's modules, for this process.

    ``after`` is called after every import statement, wherever it stands.
    """
    plain_import = builtins.__import__
    roots = [(f"{space.root}/", space) for space in spaces]

    def import_from_bundle(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - the name that Python passes
        locals: Mapping[str, object] | None = None,  # noqa: A002 - same
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        file = globals.get("__file__") if globals else None
        for root, space in roots:
            if isinstance(file, str) and file.startswith(root):
                with space.active():
                    module = plain_import(name, globals, locals, fromlist, level)
                break
        else:
            module = plain_import(name, globals, locals, fromlist, level)
        after()
        return module

    builtins.__import__ = import_from_bundle


def _top_level_names(root: Path) -> frozenset[str]:
    """What the bundle can import as its own: `hansard.json` is no module of that name."""
    importable = (path for path in root.iterdir() if path.suffix == ".py" or path.is_dir())
    found = (path.name.partition(".")[0] for path in importable)
    return frozenset(found) - sys.stdlib_module_names - {"hansard"}


def _take(names: frozenset[str]) -> Modules:
    """Remove the modules of these top-level names and return them."""
    taken = [name for name in sys.modules if name.partition(".")[0] in names]
    return {name: sys.modules.pop(name) for name in taken}
