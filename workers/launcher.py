"""The launcher: trusted, executes one attempt and tells of it in the attempt's outbox.

Everything the platform learns of an attempt is a frame there; the last one says how it ended. As a
program: `python -m workers.launcher DESCRIPTOR`, from which it reads what to launch; exit status 0
once the end is told, 3 when refused.
"""

import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import cached_property, partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from hansard.formats.columns import FrameError
from hansard.formats.journal import Journal
from hansard.point_pump import PointPump
from workers import verdict
from workers.attempt_folder import AttemptFolder, LaunchRefused, claimed
from workers.environment import environment, facts
from workers.execution import Ended, Execution
from workers.file_cache import FileCache
from workers.inputs import Origin, lay_out
from workers.item_pump import ItemPump
from workers.launch_spec import LaunchSpec, take_spec
from workers.outputs import Outputs, collect, upload
from workers.recipe import recipe_facts, variant_here
from workers.redaction import Redaction
from workers.sandbox.bounds import Bounds
from workers.sandbox.choice import chosen
from workers.sandbox.limits import Limits
from workers.sandbox.sandbox import Box, Sandbox
from workers.step_environment import step_environment, told
from workers.step_process import StepProcess
from workers.watch import Watch

if TYPE_CHECKING:
    from workers.artifact_client import ArtifactClient

EXIT_REFUSED = 3


def launch(spec: LaunchSpec, asked: Callable[[], bool] = lambda: False) -> None:
    """Execute an attempt, blocking until its end is told.

    Call it in a thread that lives as long as the step may. ``asked`` says whether to stop, beside
    the attempt's `cancel` file. Raises LaunchRefused if nothing was started, and OSError when not
    even the end can be written (the agent tells it then).
    """
    with claimed(spec) as folder, Journal(folder.outbox) as journal:
        _Attempt(spec, folder, journal, Watch(folder, spec, asked)).run()


class _Attempt:
    def __init__(
        self, spec: LaunchSpec, folder: AttemptFolder, journal: Journal, watch: Watch
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._journal = journal
        self._watch = watch
        self._points = PointPump(folder.step, folder.points, journal)
        self._items = ItemPump(folder, journal, watch, self._make_artifacts)
        self._redaction = Redaction(spec.hidden)
        self._ended: Ended | None = None
        self._clients = ExitStack()

    def run(self) -> None:
        """Whatever happens, one last status is written."""
        with self._clients:
            self._run_and_tell()

    def _run_and_tell(self) -> None:
        left: dict[str, Any] = {}
        try:
            left = self._execute()
            outcome, reason = "succeeded", ""
        except BaseException as fault:  # noqa: BLE001 - whatever it is ends the attempt, and is told
            outcome, reason = verdict.outcome_of(fault)
        with suppress(OSError):  # a full disk: what could not be told is counted as lost
            self._items.finish()
        end = {"outcome": outcome, "reason": reason, **self._account(outcome), **left}
        self._tell(self._redaction.clean(end))

    def _tell(self, end: dict[str, Any]) -> None:
        try:
            self._journal.end(end)
        except FrameError:
            too_much = {"outcome": "failed", "reason": "what it left is too large to be recorded"}
            self._journal.end({**end, **verdict.NOTHING_LEFT, **too_much})

    def _execute(self) -> dict[str, Any]:
        spec, step = self._spec, self._folder.step
        sandbox = chosen(spec)
        bounds = self._clients.enter_context(Bounds(Limits.of(spec), step, held=sandbox.limits))
        files = FileCache(Path(spec.work).parent / "bundles", lambda: self._client)
        lock = partial(files.read, spec.lock)
        variant = variant_here(spec, lock)
        self._starting(sandbox, bounds, variant)
        lay_out(spec, step, Origin(files, lambda: self._artifacts))
        where = Path(spec.environments), spec.lock, lock
        with environment(*where, self._preparing, spec.environments_mb, variant) as python:
            self._ended = self._run(python, sandbox, bounds)
        results = verdict.results_of(self._ended, step)
        outputs = collect(spec, step)
        return {"results": results, "outputs": self._upload(outputs)}

    def _upload(self, outputs: Outputs) -> list[dict[str, Any]]:
        return upload(outputs, self._artifacts, self._spec) if outputs else []

    def _starting(self, sandbox: Sandbox, bounds: Bounds, variant: str) -> None:
        isolation = {
            "variant": variant,
            "network": self._spec.network or not sandbox.cuts_network,
            "limits": bounds.facts(),
        }
        known = {**recipe_facts(self._spec), **isolation}
        self._journal.status("starting", sandbox=sandbox.level, facts=known)
        self._watch.check()

    def _run(self, python: Path, sandbox: Sandbox, bounds: Bounds) -> Ended:
        spec, step = self._spec, self._folder.step
        variables = step_environment(spec, python, step)
        box = Box(step, self._folder.path, python, variables, spec.network, spec.gpus, bounds)
        with StepProcess(sandbox, box, list(spec.secret_parameters.values())) as process:
            self._watch.started()
            self._journal.status(
                "running",
                pid=process.pid,
                environment=facts(python),
                variables=self._redaction.clean(told(variables, spec.secrets)),
            )
            ended = Execution(
                self._journal, self._watch, self._points, self._items, self._redaction
            ).run(process)
        self._watch.ended()
        return ended

    def _preparing(self, begins: bool) -> None:
        if begins:
            self._journal.status("preparing", what="environment")
        self._watch.check()

    def _account(self, outcome: str) -> dict[str, Any]:
        """What the step left, and its points: unproven when the node failed it."""
        code = self._ended.exit_code if self._ended else None
        proven = outcome != "error" and not (self._ended and self._ended.damage)
        root = self._points.root
        return {
            "exit_code": code,
            "signal": -code if code is not None and code < 0 else None,
            "metric_points": root.count if proven else None,
            "series_root": root.root() if proven else None,
            "metric_points_lost": self._points.lost,
            **verdict.NOTHING_LEFT,
            **verdict.left_behind(self._spec, self._folder.step),
            "items_lost": self._items.lost,
            "items_refused": self._items.refusals,
        }

    @cached_property
    def _artifacts(self) -> "ArtifactClient":
        return self._make_artifacts(self._watch.check)

    def _make_artifacts(self, between: Callable[[], None]) -> "ArtifactClient":
        # Its import costs 40 ms, and most steps have nothing to fetch before they start.
        from workers.artifact_client import ArtifactClient  # noqa: PLC0415

        cache = Path(self._spec.work).parent / "artifacts"
        client = ArtifactClient(self._spec.api_url, self._spec.token, cache, between)
        return self._clients.enter_context(closing(client))

    @cached_property
    def _client(self) -> Any:
        # Its import costs 30 ms, and with warm caches there is nothing to fetch before the start.
        from workers.file_client import FileClient  # noqa: PLC0415

        client = FileClient(self._spec.api_url, self._spec.token, self._watch.check)
        return self._clients.enter_context(closing(client))


def main() -> int:
    """Execute the attempt that the descriptor in the argument tells of."""
    terminated: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        terminated.append(number)

    signal.signal(signal.SIGTERM, remember)
    try:
        launch(take_spec(int(sys.argv[1])), lambda: bool(terminated))
    except LaunchRefused as refusal:
        sys.stderr.write(f"launch refused: {refusal}\n")
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
