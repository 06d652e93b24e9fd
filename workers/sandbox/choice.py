"""Which level a step gets: the strongest that works here, or the one that was set; never a weaker
one than was demanded."""

from pathlib import Path

from domain.sandbox import Level
from workers.faults import StepFault
from workers.launch_spec import LaunchSpec
from workers.sandbox.bubblewrap import Bubblewrap
from workers.sandbox.limited import Limited
from workers.sandbox.none import Unconfined
from workers.sandbox.sandbox import Sandbox

AUTO = "auto"


class SandboxMissing(StepFault):
    """This node cannot keep the step as much apart as it has to be."""


def chosen(spec: LaunchSpec) -> Sandbox:
    """The sandbox of an attempt. Raises SandboxMissing where the node has none that will do."""
    notes = Path(spec.work).parent / "sandbox"
    sandboxes: list[Sandbox] = [Bubblewrap(notes), Limited(), Unconfined()]
    if spec.sandbox != AUTO:
        sandboxes = [each for each in sandboxes if each.level == spec.sandbox]
    problems: list[str] = []
    for sandbox in sandboxes:
        problem = sandbox.problem()
        if problem is None:
            return _strong_enough(sandbox, Level(spec.least_sandbox), problems)
        problems.append(problem)
    reason = "; ".join(problems) or "there is no such level"
    raise SandboxMissing(f"the sandbox `{spec.sandbox}` was set, and this node lacks it: {reason}")


def _strong_enough(sandbox: Sandbox, least: Level, problems: list[str]) -> Sandbox:
    if sandbox.level.reaches(least):
        return sandbox
    why = f" ({'; '.join(problems)})" if problems else ""
    raise SandboxMissing(f"this node offers `{sandbox.level}`{why}, policy demands `{least}`")
