"""The process that reads bundles: `python -m infra.bundle_reading.process`.

It parses what strangers wrote, so it has little memory, no environment, and an end to its time;
whatever happens to it, the API goes on. Each message is its length in 8 bytes and then that many.
A request is how many bundles there are, those below the one that is asked about and, last, that
one itself, a message each; an answer is JSON: `{"manifest", "signature"}`, or `{"refused": {"by",
...}}` with what the exception said. It ends with its standard input, or when nobody asks for long.
"""

import os
import resource
import select
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from domain.errors import Invalid
from domain.signatures.extraction import extract
from domain.signatures.sources import Sources
from hansard.formats import bundle
from hansard.formats.problems import BundleError
from infra.bundle_reading.kinds import KIND_OF_MANIFEST
from infra.bundle_reading.messages import read_messages, write_message
from infra.shipped_roles import sdk_sources

MEMORY_BYTES = 1 << 30
CPU_S = 10
"""Of one request."""
_IDLE_S = 600
_KEPT_BYTES = 300 << 20
"""A process that has grown larger than this ends after its answer."""


def answer(data: bytes, below: Sequence[bytes] = ()) -> dict[str, Any]:
    """What a packed bundle upon others says of itself, or why it is refused."""
    try:
        contents = bundle.read(data, below)
        manifest = contents.manifest
        sources = Sources(contents.files, sdk_sources())
        signature = extract(sources, manifest.entry, KIND_OF_MANIFEST[manifest.kind])
    except BundleError as error:
        said = {"code": error.problem_code, "detail": error.detail, "where": error.where}
        return {"refused": {"by": "bundle", **said}}
    except Invalid as error:
        return {"refused": {"by": "invalid", "detail": error.detail, "context": error.context}}
    except (RecursionError, MemoryError):
        return {"refused": {"by": "limits"}}
    return {"manifest": asdict(manifest), "signature": signature}


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the other side is gone."""
    while _is_asked(requests):
        bundles = read_messages(requests)
        if bundles is None:
            return
        _allow_time()
        *below, data = bundles
        write_message(answers, orjson.dumps(answer(data, below)))
        del bundles, below, data
        if _memory_bytes() > _KEPT_BYTES:
            return


def main() -> None:
    """Entry point of the process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sdk_sources().module("hansard.roles")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    requests, answers = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)  # what a library prints is no answer
    serve(requests, answers)


def _is_asked(requests: BinaryIO) -> bool:
    return bool(select.select([requests], [], [], _IDLE_S)[0])


def _memory_bytes() -> int:
    """What it holds now: the peak in `getrusage` is that of the parent, if it was more."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return pages * resource.getpagesize()


def _allow_time() -> None:
    """Processor time for one more request: the kernel ends a process that takes more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
