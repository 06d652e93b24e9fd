"""The process that looks into tables: one JSON request on stdin, one JSON answer on stdout.

It runs apart because files of strangers are parsed here: memory and processor time are limited,
and whatever happens to it, the caller goes on. The request:

    {"profile": [paths], "expectations": text or null,
     "diff": {"before": [paths], "after": [paths], "key": [columns] or null} or null,
     "memory_bytes": 4294967296, "cpu_s": 600}

The answer has `profile` and `examples`, `check` and `diff`, each where it was asked for, or only
`error`, a sentence.
"""

import json
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.errors import DomainError
from domain.plain_data import storable
from hansard.tables import TableError
from hansard.tables.diff import diff
from infra.expectations import read_expectations
from workers.tables.expectations import check
from workers.tables.profile import profile

MEMORY_BYTES = 4 << 30
CPU_S = 600
_NICENESS = 10
_GRACE_S = 5
_MAPPINGS = 4
"""How often the readers may map a file at one time."""


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """What the request asks for. Raises TableError or DomainError with a sentence."""
    found: dict[str, Any] = {}
    paths = _profiled(request)
    if paths:
        found |= profile(paths).as_json()
    if request.get("expectations") is not None:
        found["check"] = check(paths, read_expectations(request["expectations"])).as_json()
    if (asked := request.get("diff")) is not None:
        before, after = (_paths(asked[side]) for side in ("before", "after"))
        found["diff"] = diff(before, after, asked.get("key")).as_json()
    return found


def main() -> None:
    """Answer the request on stdin, within its limits."""
    request = json.load(sys.stdin)
    _limit(request)
    json.dump(storable(_answer_or_error(request)), sys.stdout, allow_nan=False)


def _answer_or_error(request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return answer(request)
    except (TableError, DomainError) as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "the tables need more memory than looking into them may use"}
    except BaseException as error:  # noqa: BLE001 - polars panics; and messages may quote cells
        return {"error": f"the tables cannot be looked into ({type(error).__name__})"}


def _limit(request: Mapping[str, Any]) -> None:
    memory_bytes, cpu_s = request.get("memory_bytes", MEMORY_BYTES), request.get("cpu_s", CPU_S)
    asked = request.get("diff") or {"before": (), "after": ()}
    files = [*_profiled(request), *_paths(asked["before"]), *_paths(asked["after"])]
    # Files are mapped, which costs addresses but no memory that the system could not take back.
    mapped = _MAPPINGS * sum(file.stat().st_size for file in files if file.is_file())
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes + mapped, memory_bytes + mapped))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + _GRACE_S))  # SIGXCPU, then SIGKILL
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)


def _profiled(request: Mapping[str, Any]) -> list[Path]:
    return _paths(request.get("profile") or ())


def _paths(names: Sequence[str]) -> list[Path]:
    return [Path(name) for name in names]


if __name__ == "__main__":
    main()
