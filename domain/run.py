"""Runs: one execution of an executor with its slots filled, from request to one terminal event."""

import re
from typing import Any

from eventsourcing.domain import event

from domain import run_events
from domain.claim import checked_claim
from domain.entity import Entity
from domain.errors import Conflict, Invalid
from domain.keep import Keep
from domain.run_events import PLACED, TERMINAL, WAITING, Status
from domain.secret_references import checked_secrets
from domain.text import checked_id, checked_name, checked_tags, checked_text
from domain.variables import checked_variables

__all__ = ["MAX_ATTEMPTS", "MAX_NOTES", "PLACED", "TERMINAL", "WAITING", "Run", "Status"]

MAX_ATTEMPTS = 3
MAX_NOTES = 1000
MAX_DATASETS = 50
MAX_SEEDS = 100

_DATASET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class Run(Entity):
    """A run. Attempts are numbered from 1; whatever races, one terminal event ends it."""

    TOPIC = "run"

    Requested = run_events.Requested
    Queued = run_events.Queued
    Admitted = run_events.Admitted
    Starting = run_events.Starting
    Running = run_events.Running
    AttemptLost = run_events.AttemptLost
    PreemptionRequested = run_events.PreemptionRequested
    Preempted = run_events.Preempted
    CancelRequested = run_events.CancelRequested
    Noted = run_events.Noted
    Ended = run_events.Ended
    Succeeded = run_events.Succeeded
    Failed = run_events.Failed
    Cancelled = run_events.Cancelled
    Lost = run_events.Lost

    @classmethod
    def request(
        cls,
        id_: str,
        *,
        name: str,
        tags: dict[str, str],
        datasets: dict[str, str] | None = None,
        run_group: dict[str, Any] | None = None,
        variables: dict[str, Any] | None = None,
        claim: dict[str, Any] | None = None,
        secrets: dict[str, str] | None = None,
        **asked: Any,
    ) -> "Run":
        """Ask for a run. Raises Invalid; the caller has checked what the parts refer to."""
        return cls._create(
            cls.Requested,
            id=checked_id(id_, "run"),
            name=checked_name(name),
            tags=checked_tags(tags),
            datasets=checked_datasets(datasets or {}),
            run_group=run_group,
            variables=checked_variables(variables or {}),
            claim=checked_claim(claim or {}),
            secrets=checked_secrets(secrets or {}),
            **asked,
        )

    @event(Requested)
    def __init__(
        self,
        project: str,
        experiment: str,
        name: str,
        executor: str,
        parameters: dict[str, Any],
        slots: dict[str, dict[str, Any]],
        datasets: dict[str, str],
        resources: dict[str, Any],
        lock: str,
        seed: int,
        tags: dict[str, str],
        run_group: dict[str, Any] | None,
        variables: dict[str, Any],
        claim: dict[str, Any],
        secrets: dict[str, str],
    ) -> None:
        self._begin(name, "", project)
        self.tags = tags
        self.run_group = run_group
        self.variables = variables
        self.secrets = secrets
        self.experiment = experiment
        self.executor = executor
        self.parameters = parameters
        self.slots = slots
        self.datasets = datasets
        self.resources = resources
        self.lock = lock
        self.seed = seed
        self.pool: str = claim["pool"]
        self.priority: int = claim["priority"]
        self.group: str | None = claim["group"]
        self.status = Status.REQUESTED
        self.attempt = 0
        self.losses = 0
        self.node: str | None = None
        self.sandbox: str | None = None
        self.token_digest: str | None = None
        self.cancel_requested = False
        self.is_to_give_way = False
        self.notes = 0

    @property
    def ended(self) -> bool:
        """Whether a terminal event has happened."""
        return self.status in TERMINAL

    @property
    def kept_slots(self) -> frozenset[str]:
        """The slots whose results are kept."""
        return frozenset(n for n, slot in self.slots.items() if slot["keep"] != Keep.NONE)

    def queue(self) -> None:
        """Let it wait for room."""
        self._require(Status.REQUESTED, Status.PREEMPTED)
        self.trigger_event(self.Queued)

    def admit(
        self,
        *,
        backend: str,
        node: str,
        fence: int,
        token_digest: str,
        grounds: dict[str, Any] | None = None,
    ) -> int:
        """Give room to the next attempt, and answer its number."""
        self._require(Status.QUEUED)
        attempt = self.attempt + 1
        self.trigger_event(
            self.Admitted,
            attempt=attempt,
            backend=backend,
            node=node,
            fence=fence,
            token_digest=token_digest,
            grounds=grounds or {},
        )
        return attempt

    def start(self, attempt: int, *, sandbox: str, facts: dict[str, Any]) -> None:
        """The node has begun to prepare the attempt."""
        self._require(Status.ADMITTED, attempt=attempt)
        self.trigger_event(self.Starting, attempt=attempt, sandbox=sandbox, facts=facts)

    def begin(self, attempt: int) -> None:
        """User code has begun."""
        self._require(Status.STARTING, attempt=attempt)
        self.trigger_event(self.Running, attempt=attempt)

    def request_cancel(self, reason: str) -> None:
        """Ask it to stop; a run that only waits ends at once."""
        checked_text(reason, "reason")
        if self.ended:
            raise Conflict(f"this run has {self.status} already", status=self.status)
        if self.cancel_requested:
            raise Conflict("this run is being cancelled already", status=self.status)
        if self.status in WAITING:
            self._end(self.Cancelled, reason, points=0 if self.attempt == 0 else None, root=None)
        else:
            self.trigger_event(self.CancelRequested, reason=reason)

    def request_preemption(self, attempt: int, by: str, reason: str) -> None:
        """Ask it to give its room to the run `by`; once is enough."""
        self._require(*PLACED, attempt=attempt)
        if not (self.is_to_give_way or self.cancel_requested):
            self.trigger_event(self.PreemptionRequested, attempt=attempt, by=by, reason=reason)

    def preempt(self, attempt: int, reason: str) -> None:
        """Take the room of an attempt away; it waits again, or ends if it was to stop anyway."""
        self._require(*PLACED, attempt=attempt)
        if self.cancel_requested:
            self._end(self.Cancelled, reason, points=None, root=None)
        else:
            self.trigger_event(self.Preempted, attempt=attempt, reason=reason)

    def lose_attempt(self, attempt: int, reason: str) -> None:
        """The infrastructure failed the attempt: try again, or end as lost (or cancelled)."""
        self._require(*PLACED, attempt=attempt)
        if self.cancel_requested:
            self._end(self.Cancelled, reason, points=None, root=None)
        elif self.losses + 1 < MAX_ATTEMPTS and self.executor:
            self.trigger_event(self.AttemptLost, attempt=attempt, reason=reason)
        else:
            self._end(self.Lost, reason, points=None, root=None)

    def succeed(
        self,
        attempt: int,
        *,
        points: int,
        root: str | None,
        results: dict[str, Any],
        logged: dict[str, Any],
        outputs: list[dict[str, Any]],
    ) -> None:
        """End with the results of user code."""
        self._require(*PLACED, attempt=attempt)
        self._end(self.Succeeded, "", points, root, results=results, logged=logged, outputs=outputs)

    def fail(
        self,
        attempt: int,
        reason: str,
        *,
        points: int | None,
        root: str | None,
        failure: dict[str, Any],
        logged: dict[str, Any],
    ) -> None:
        """End with what went wrong; a run that could never be placed fails while it waits."""
        self._require(*PLACED, *WAITING, attempt=attempt)
        self._end(self.Failed, reason, points, root, failure=failure, logged=logged)

    def end_cancelled(self, attempt: int, *, points: int | None, root: str | None) -> None:
        """Its processes have stopped as wished."""
        self._require(*PLACED, attempt=attempt)
        self._end(self.Cancelled, "cancelled on request", points, root)

    def note(self, note: str) -> None:
        """Add a remark, at any time."""
        if self.notes >= MAX_NOTES:
            raise Conflict(f"a run holds at most {MAX_NOTES} notes", id=self.id)
        self.trigger_event(self.Noted, note=checked_text(note, "note"))

    def archive(self) -> None:
        """Hide from lists; only a run that has ended can be archived."""
        if not self.ended:
            raise Conflict(f"this run is {self.status}: cancel it first", status=self.status)
        super().archive()

    def _require(self, *statuses: Status, attempt: int | None = None) -> None:
        if self.status not in statuses:
            raise Conflict(f"not possible while {self.status}", status=self.status)
        if attempt is not None and attempt != self.attempt:
            raise Conflict(
                f"attempt {attempt} is over; the present one is {self.attempt}",
                attempt=self.attempt,
            )

    def _end(
        self,
        terminal: type[run_events.Ended],
        reason: str,
        points: int | None,
        root: str | None,
        **more: Any,
    ) -> None:
        self.trigger_event(
            terminal,
            attempt=self.attempt,
            reason=reason,
            metric_points=points,
            series_root=root,
            **more,
        )


def checked_datasets(datasets: dict[str, str]) -> dict[str, str]:
    """Versions of datasets by the names that the run reads them under. Raises Invalid."""
    if len(datasets) > MAX_DATASETS:
        raise Invalid(f"{len(datasets)} datasets, at most {MAX_DATASETS}", field="datasets")
    for name, version in datasets.items():
        if not _DATASET.fullmatch(name):
            what = "1 to 64 letters, digits and . _ -"
            raise Invalid(f"a dataset cannot be named {name!r}: {what}", field="datasets")
        checked_id(version, "version")
    return datasets
