"""Times `hansard.log_metric` as a training process sees it; prints nanoseconds as JSON.

Run as a plain script in a step's environment: a process of user code has no server package.
"""

import json
import time

import hansard

_CALLS = 200_000


def main() -> None:
    """Print the median and the 99th percentile of single calls, the clock's own cost included."""
    nanoseconds = []
    for step in range(_CALLS):
        begin = time.perf_counter_ns()
        hansard.log_metric("train/loss", 0.25, step)
        nanoseconds.append(time.perf_counter_ns() - begin)
    nanoseconds.sort()
    found = {
        "calls": _CALLS,
        "p50": nanoseconds[_CALLS // 2],
        "p99": nanoseconds[_CALLS * 99 // 100],
    }
    print(json.dumps(found))


main()
