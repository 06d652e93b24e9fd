"""`hansard run --local`: a run on this machine, of folders or of versions, without a server."""

import json
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.output import members, print_json, say, tell
from hansard.cli.parameters import Parameters
from hansard.cli.secret_input import secret_or_none

if TYPE_CHECKING:
    from hansard.client import Client
    from hansard.local.layout import LocalStep
    from hansard.local.process import Given

LocalOption: TypeAlias = Annotated[
    bool, typer.Option("--local", help="Run here, of folders or versions, without a server.")
]
IsolatedOption: TypeAlias = Annotated[
    bool, typer.Option("--isolated", help="Run here, in an environment with what is required only.")
]

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class LocalRun:
    """What somebody asks for at the terminal; slots lead to folders or names of versions."""

    executor: str
    slots: dict[str, str]
    parameters: Parameters
    keep: list[str]
    name: str | None
    seed: int | None
    isolated: bool
    variables: dict[str, Any]  # text, or {secret: name}
    workers: int = 1


def run_locally(asked: LocalRun, as_json: bool) -> None:
    """Run it to its end and leave with its exit code; the results lie in a folder of their own."""
    with ExitStack() as clients:
        step = _step(asked, clients)
        _run(step, asked.name, asked.isolated, as_json, _secrets(step, asked.variables))


def run_code_locally(
    folder: Path, command: list[str], name: str | None, seed: int | None, as_json: bool
) -> None:
    """The same for a command in a folder."""
    from hansard.formats.bundle import read  # noqa: PLC0415 - only this needs them
    from hansard.formats.code import pack_code  # noqa: PLC0415 - same
    from hansard.local.layout import LocalStep  # noqa: PLC0415 - same
    from hansard.local.parts import LocalPart  # noqa: PLC0415 - same

    bundle = pack_code(folder)
    part = LocalPart(bundle.digest, read(bundle.data))
    step = LocalStep(part, {}, {"command": command}, seed=seed)
    _run(step, name, False, as_json)


def _run(
    step: "LocalStep", name: str | None, isolated: bool, as_json: bool, given: "Given | None" = None
) -> None:
    from hansard.local.environment import isolated_python  # noqa: PLC0415 - only this needs them
    from hansard.local.layout import RUNS_FOLDER, lay_out, new_folder  # noqa: PLC0415 - same
    from hansard.local.process import Given, execute  # noqa: PLC0415 - same

    folder = new_folder(name or step.executor.contents.manifest.name)
    seed = lay_out(step, folder)
    python = sys.executable
    if isolated:
        python = isolated_python(RUNS_FOLDER / ".environments", step.requirements, tell)
    tell(f"running in {folder} with seed {seed}")
    try:
        code = execute(folder, python, seed, tell, given or Given())
    except KeyboardInterrupt:
        tell(f"stopped; what it left is in {folder}")
        raise typer.Exit(_INTERRUPTED) from None
    _sum_up(folder, code, as_json)
    if code != 0:
        raise typer.Exit(code if code > 0 else 128 - code)


def _secrets(step: "LocalStep", variables: dict[str, Any]) -> "Given":
    """The values of all secrets that it names. Raises HansardError."""
    from hansard.local.process import Given  # noqa: PLC0415 - only this needs them
    from hansard.local.secrets import secret_values  # noqa: PLC0415 - same

    named = {name: each["secret"] for name, each in variables.items() if not isinstance(each, str)}
    values = secret_values([*step.secrets.values(), *named.values()], _asked)
    return Given(
        [values[name] for name in step.secrets.values()],
        {**variables, **{variable: values[name] for variable, name in named.items()}},
    )


def _asked(name: str) -> str:
    return secret_or_none(f"Value of secret `{name}`") if sys.stdin.isatty() else ""


def _step(asked: LocalRun, clients: ExitStack) -> "LocalStep":
    from hansard.local.layout import LocalStep  # noqa: PLC0415 - only this needs it
    from hansard.local.parts import find_part  # noqa: PLC0415 - same

    opened: list[Client] = []

    def connect() -> "Client":
        if not opened:
            opened.append(clients.enter_context(connected()))
        return opened[0]

    return LocalStep(
        executor=find_part(asked.executor, connect),
        slots={slot: find_part(reference, connect) for slot, reference in asked.slots.items()},
        parameters=asked.parameters.executor,
        slot_parameters=asked.parameters.slots,
        slot_methods=asked.parameters.methods,
        keep=asked.keep,
        seed=asked.seed,
        workers=asked.workers,
    )


def _sum_up(folder: Path, code: int, as_json: bool) -> None:
    results, failure = _read(folder / "result.json"), _read(folder / "failure.json")
    if as_json:
        print_json(
            {"folder": str(folder), "exit_code": code, "results": results, "failure": failure}
        )
    elif code == 0:
        say(f"succeeded  {members(results or {})}".rstrip())
    else:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        tell(f"failed ({how}); what it left is in {folder}")


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_bytes()) if path.is_file() else None
