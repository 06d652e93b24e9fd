"""The Ray driver: reads attempts to launch from standard input, tells what it sees on output.

Input: one LaunchSpec as JSON a line. Output, one JSON object a line: `{"alive": true}` every
second, `{"failed": [run, attempt, reason]}` and `{"ended": [run, attempt]}`. At the end of input it
stays until its attempts have ended.
"""

import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import orjson
import ray

from infra.embedded.supervisor_mark import supervisor_lives
from workers.launch_request import ask_to_launch
from workers.launch_spec import LaunchSpec

_POLL_S = 0.2
_ALIVE_EVERY_S = 1.0
_HUNG_S = 15


def main() -> None:
    """Entry point of the process."""
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what Ray prints goes to the log, not between our lines
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level="warning")
    requests: queue.Queue[LaunchSpec | None] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    _Driver(output, requests).run()


def _read_requests(requests: "queue.Queue[LaunchSpec | None]") -> None:
    for line in sys.stdin.buffer:
        requests.put(LaunchSpec.from_json(line.decode()))
    requests.put(None)


def _end_with_the_supervisor() -> None:
    """In a thread of its own: calls of Ray hang for a minute once its head is gone.

    Some hang with the interpreter's lock held. Then this thread does not come to renew the alarm,
    whose default action ends the process.
    """
    while supervisor_lives():
        signal.alarm(_HUNG_S)
        time.sleep(_POLL_S)
    os._exit(1)


class _Driver:
    """The loop: launch, notice ends, say that it lives."""

    def __init__(self, output: Any, requests: "queue.Queue[LaunchSpec | None]") -> None:
        self._output = output
        self._requests = requests
        self._running: dict[Any, LaunchSpec] = {}
        self._told_at = 0.0
        self._launch = ray.remote(max_retries=0)(_launch)

    def run(self) -> None:
        """Until the input has ended and nothing runs any more."""
        open_ = True
        while open_ or self._running:
            ray.cluster_resources()  # hangs when the head is gone: then we fall silent
            self._tell_alive()
            open_ = self._take_requests(open_)
            self._notice_ends()

    def _take_requests(self, open_: bool) -> bool:
        """Launch what is asked for; False once the input has ended."""
        try:
            while True:
                timeout = None if self._running or not open_ else _POLL_S
                spec = self._requests.get(block=timeout is not None, timeout=timeout)
                if spec is None:
                    return False
                self._place(spec)
        except queue.Empty:
            return open_

    def _place(self, spec: LaunchSpec) -> None:
        task = self._launch.options(
            num_cpus=spec.cpus,
            num_gpus=spec.gpus,
            resources={f"hansard:{spec.node}": 0.001},
            name=f"{spec.run}.{spec.attempt}",
        )
        self._running[task.remote(spec.to_json())] = spec

    def _notice_ends(self) -> None:
        if not self._running:
            return
        ended, _ = ray.wait(list(self._running), num_returns=1, timeout=_POLL_S / 4)
        for reference in ended:
            spec = self._running.pop(reference)
            try:
                ray.get(reference)
            except Exception as error:  # noqa: BLE001 - user code is not in there: Ray or the launcher failed
                reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                self._tell({"failed": [spec.run, spec.attempt, reason]})
            self._tell({"ended": [spec.run, spec.attempt]})

    def _tell_alive(self) -> None:
        if time.monotonic() - self._told_at > _ALIVE_EVERY_S:
            self._told_at = time.monotonic()
            self._tell({"alive": True})

    def _tell(self, message: dict[str, Any]) -> None:
        # A dispatcher that has died: another one adopts our attempts by what agents tell.
        with suppress(OSError):
            self._output.write(orjson.dumps(message) + b"\n")


def _launch(spec: str) -> None:
    """What runs as a Ray task: it holds the room, and the attempt ends with it."""
    ask_to_launch(LaunchSpec.from_json(spec))


if __name__ == "__main__":
    main()
