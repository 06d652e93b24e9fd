"""Moves what a step logs as files to the platform: contents as artifacts, items as frames.

A thread uploads, so that the loop which watches the step never waits for the network. It and the
loop take turns with what they share: the thread begins with a job and ends with it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hansard.formats.frames import Item, ItemBatch
from hansard.formats.journal import Journal
from workers.attempt_folder import AttemptFolder
from workers.faults import AttemptFault, PlatformFault
from workers.item_reader import ItemReader, contents
from workers.watch import Watch

if TYPE_CHECKING:
    from workers.artifact_client import ArtifactKeeper

EVERY_S = 10.0
MAX_REFUSALS_TOLD = 20

_POLL_S = 0.1

MakeKeeper = Callable[[Callable[[], None]], "ArtifactKeeper"]
"""Makes a keeper which calls what it is given before each request."""


class _GivenUp(PlatformFault):
    """There is no time left to upload."""


@dataclass(slots=True)
class _Job:
    """One batch on its way: `kept` once the platform has its contents."""

    items: list[Item]
    kept: bool = False
    refused: dict[str, str] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)


class ItemPump:
    """Items are numbered from 1; a content is uploaded once. `lost` counts after `finish`."""

    def __init__(
        self, folder: AttemptFolder, journal: Journal, watch: Watch, keeper: MakeKeeper
    ) -> None:
        self._step = folder.step
        self._journal = journal
        self._watch = watch
        self._make_keeper = keeper
        self._keeper: ArtifactKeeper | None = None
        self._reader = ItemReader(folder.step)
        self._job: _Job | None = None
        self._left: list[Item] = []
        self._artifacts: dict[str, str] = {}
        self._next_at = 0.0
        self._give_up_at = float("inf")
        self._refused = 0
        self.refusals: list[dict[str, Any]] = []
        """Name and reason of the first items that the platform does not keep."""

    @property
    def lost(self) -> int:
        """Items that were logged and are not in the record."""
        going = len(self._job.items) if self._job is not None else 0
        return self._reader.dropped + self._refused + len(self._left) + going

    def tick(self) -> None:
        """Tell what has arrived, and begin to upload what is new. Raises OSError (disk full)."""
        self._settle()
        if self._job is None and time.monotonic() >= self._next_at and self._pending():
            self._next_at = time.monotonic() + EVERY_S
            self._begin()

    def finish(self) -> None:
        """Upload and tell all that is left; the step is dead. Raises OSError (disk full).

        Gives up when the platform is away for long, and soon after the attempt was to stop.
        """
        self._wait()
        moves = self._pending()
        while moves and self._job is None:
            self._begin()
            moves = self._wait() and not self._left

    def _pending(self) -> bool:
        return bool(self._left) or self._reader.has_new()

    def _begin(self) -> None:
        self._job = _Job(self._left)
        self._left = []
        # A daemon: one that hangs in the network must not keep the launcher from its end.
        work = threading.Thread(target=self._work, args=(self._job,), daemon=True, name="items")
        work.start()

    def _wait(self) -> bool:
        """Wait for the job, if there is one; whether it had items.

        One that cannot be waited for stays where it is.
        """
        while self._job is not None and not self._job.done.wait(_POLL_S):
            now = time.monotonic()
            if self._watch.reason() is not None:
                self._give_up_at = min(self._give_up_at, now + self._watch.spec.grace_s)
            if now > self._give_up_at:
                return False
        had_items = self._job is not None and bool(self._job.items)
        self._settle()
        return had_items

    def _settle(self) -> None:
        job = self._job
        if job is None or not job.done.is_set():
            return
        if job.kept:
            self._tell(job)
        else:
            self._left = job.items
        self._job = None

    def _tell(self, job: _Job) -> None:
        kept = [item for item in job.items if item.path in self._artifacts]
        for artifact in dict.fromkeys(self._artifacts[item.path] for item in kept):
            its = [item for item in kept if self._artifacts[item.path] == artifact]
            self._journal.items(ItemBatch(artifact, its))
        refused = [item for item in job.items if item.path not in self._artifacts]
        self._refused += len(refused)
        for item in refused[: MAX_REFUSALS_TOLD - len(self.refusals)]:
            self.refusals.append({"name": item.name, "reason": job.refused[item.path]})

    def _work(self, job: _Job) -> None:
        """In the thread."""
        try:
            job.items = job.items or self._reader.read_new()
            self._upload(job)
            job.kept = True
        except (AttemptFault, OSError, ValueError):
            pass  # tried again with the next batch, and counted in the end
        finally:
            job.done.set()

    def _upload(self, job: _Job) -> None:
        wanted = {item.path for item in job.items if item.path not in self._artifacts}
        if not wanted:
            return
        with contents(self._step) as folder:
            files = {path: folder / Path(path).name for path in wanted}
            artifact = self._kept(files, job.refused)
        if artifact is not None:
            self._artifacts |= dict.fromkeys(files, artifact)

    def _kept(self, files: dict[str, Path], refused: dict[str, str]) -> str | None:
        """The artifact with the files, less those that are refused; None if all of them are."""
        from workers.artifact_client import FilesRefused  # noqa: PLC0415 - see there

        while files:
            try:
                return self._client().keep(files).id
            except FilesRefused as refusal:
                reasons: Mapping[str, str] = refusal.reasons
                known = {path: reasons[path] for path in files if path in reasons}
                refused |= known or dict.fromkeys(files, str(refusal))
                for path in refused:
                    files.pop(path, None)
        return None

    def _client(self) -> "ArtifactKeeper":
        if self._keeper is None:
            self._keeper = self._make_keeper(self._check_time)
        return self._keeper

    def _check_time(self) -> None:
        if time.monotonic() > self._give_up_at:
            raise _GivenUp("there is no time left to upload what was logged")
