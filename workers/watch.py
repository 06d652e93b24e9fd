"""Says when an attempt has to stop: on request, or because its time is up."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.embedded.supervisor_mark import supervisor_lives
from workers.attempt_folder import AttemptFolder
from workers.faults import AttemptFault, StepFault, Stopped
from workers.launch_spec import LaunchSpec


@dataclass(slots=True)
class Watch:
    """``asked`` is a further way to be asked, beside the attempt's `cancel` file."""

    folder: AttemptFolder
    spec: LaunchSpec
    asked: Callable[[], bool]
    _running_since: float = field(default=float("inf"))

    def started(self) -> None:
        """The step's wall time begins."""
        self._running_since = time.monotonic()

    def ended(self) -> None:
        """The step's wall time is over; what follows does not count."""
        self._running_since = float("inf")

    def reason(self) -> AttemptFault | None:
        """Why to stop now, if so."""
        if self.asked() or self.folder.cancel.exists():
            return Stopped("cancelled on request")
        if not supervisor_lives():
            return Stopped("the platform was stopped")
        if time.monotonic() - self._running_since > self.spec.wall_time_s:
            return StepFault(f"wall-time: it ran longer than {self.spec.wall_time_s:g} s")
        return None

    def check(self) -> None:
        """Raise the reason, if there is one."""
        if reason := self.reason():
            raise reason
