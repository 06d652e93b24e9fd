"""The loop of a peer's process: one command per line of stdin, one answer per line of stdout.

Runs in the peers' environment, so it needs nothing but the standard library.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any


def obey(commands: Mapping[str, Callable[..., Any]]) -> None:
    """Carry out commands until stdin ends; an exception ends the process and stands in its log.

    What the peer itself prints goes to stderr, so that answers stay readable.
    """
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            name, arguments = json.loads(line)
            print(json.dumps(commands[name](**arguments)), file=answers, flush=True)


def seconds(action: Callable[[], object]) -> float:
    """How long something takes."""
    start = perf_counter()
    action()
    return perf_counter() - start
