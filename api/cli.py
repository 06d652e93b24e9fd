"""The server's part of `hansard`: up, demo, node, projections, audit, policies, artifacts, envs.

Only signatures are here, so that `hansard --help` stays quick; the work is in the modules that
are imported at the end.
"""

import subprocess
import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer


class BackendName(StrEnum):
    """Where runs are placed."""

    RAY = "ray"
    LOCAL = "local"


DataDir = Annotated[Path | None, typer.Option(help="Data folder; HANSARD_DATA_DIR or ~/.hansard.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Backend = Annotated[BackendName | None, typer.Option(help="Where runs are placed.")]

node = typer.Typer(no_args_is_help=True, help="This machine as a node of a platform.")
projections = typer.Typer(no_args_is_help=True, help="The read models folded from the record.")
audit = typer.Typer(no_args_is_help=True, help="Check the record itself.")
artifacts = typer.Typer(no_args_is_help=True, help="The stored bytes of artifacts.")


environments = typer.Typer(no_args_is_help=True, help="The environments of steps on this node.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(up)
    app.command()(demo)
    app.add_typer(node, name="node")
    app.add_typer(projections, name="projections")
    app.add_typer(audit, name="audit")
    _group(app, "policies", "The policies.").command("verify-decisions")(verify_decisions)
    app.add_typer(artifacts, name="artifacts")
    app.add_typer(environments, name="envs")


def up(
    data_dir: DataDir = None,
    backend: Backend = None,
    port: Annotated[int, typer.Option(help="Port of the API; 0 keeps the one chosen first.")] = 0,
    cluster: Annotated[
        str | None, typer.Option(help="Address of this machine at which others join it as nodes.")
    ] = None,
) -> None:
    """Start the platform on this machine; Ctrl-C stops it."""
    _commands().up(data_dir, backend, port, cluster)


def demo(
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep everything here; a folder that is removed by default.")
    ] = None,
    backend: Annotated[BackendName, typer.Option(help="Where runs are placed.")] = BackendName.RAY,
) -> None:
    """Train a digits classifier end to end, every step of it an event."""
    folder = ["--data-dir", str(data_dir)] if data_dir else []
    command = [sys.executable, "-u", str(_demo()), "--backend", backend.value, *folder]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


@node.command("join")
def node_join(
    url: Annotated[str, typer.Argument(help="Address of the platform: http://host:port")],
    name: Annotated[str, typer.Option(help="Name of this node.")],
    data_dir: DataDir = None,
) -> None:
    """Make this machine a node of a platform until Ctrl-C; the join token is asked for."""
    import_module("api.node_command").join(url, name, data_dir)


@projections.command("status")
def projections_status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Positions reached, and events that could not be folded."""
    _commands().show_status(data_dir, as_json)


@projections.command("rebuild")
def projections_rebuild(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Build the read models anew beside the live ones, compare, and swap them."""
    _commands().rebuild_all(data_dir, as_json)


@audit.command("verify")
def audit_verify(
    data_dir: DataDir = None,
    backup: Annotated[
        Path | None, typer.Option(help="A copy of a data folder, instead of a platform.")
    ] = None,
    first: Annotated[int, typer.Option("--from", min=1, help="Position to begin at.")] = 1,
    last: Annotated[int | None, typer.Option("--to", min=1, help="Position to end at.")] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="File of a checkpoint that was kept elsewhere.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Public key that you know to be the record's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check all that is recorded; exit code 1 and the first altered, missing or inserted event."""
    asked = (data_dir, backup, first, last, checkpoint or [], key)
    _audit_commands().verify_record(*asked, as_json)


@audit.command("checkpoints")
def audit_checkpoints(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """The signed checkpoints of the record, oldest first."""
    _audit_signing().list_checkpoints(data_dir, as_json)


@audit.command("checkpoint")
def audit_checkpoint(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Sign what was recorded up to now, and print the checkpoint."""
    _audit_signing().make_checkpoint(data_dir, as_json)


@audit.command("keys")
def audit_keys(
    rotate: Annotated[bool, typer.Option("--rotate", help="From now on a new key signs.")] = False,
    lost: Annotated[
        bool, typer.Option("--lost", help="With --rotate: the present key is lost.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """The public keys that sign the record, the present one last."""
    _audit_signing().show_keys(data_dir, as_json, rotate=rotate, lost=lost)


@audit.command("prove")
def audit_prove(
    event: Annotated[str, typer.Argument(help="Position of an event, or ENTITY:VERSION.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the proof.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="File of the checkpoint to prove it by.")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write a proof that an event is in the record, which others check without the platform."""
    _audit_signing().prove(event, out, checkpoint, data_dir, as_json)


def verify_decisions(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Decide every recorded decision again, from the record alone; exit code 1 if one differs."""
    _commands().verify_decisions(data_dir, as_json)


@artifacts.command("gc")
def artifacts_gc(
    data_dir: DataDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    grace_hours: Annotated[
        float | None,
        typer.Option(min=0, help="Keep that long what nothing needs; by default as the setting."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove the bytes that no artifact needs any more; servers go on meanwhile."""
    _artifact_commands().gc(data_dir, grace_hours, as_json, dry_run=dry_run)


@artifacts.command("verify")
def artifacts_verify(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Read and hash all that is stored; exit code 1 and the artifacts that lost something."""
    _artifact_commands().verify(data_dir, as_json)


@artifacts.command("reindex")
def artifacts_reindex(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Build the index anew from the packs alone, compare, and put the live one right."""
    _artifact_commands().rebuild_index(data_dir, as_json)


@artifacts.command("usage")
def artifacts_usage(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """How many bytes are stored, and for how many bytes of artifacts."""
    _artifact_commands().show_usage(data_dir, as_json)


@environments.command("ls")
def environments_ls(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What is built, longest unused first."""
    _environment_commands().ls(data_dir, as_json)


@environments.command("prune")
def environments_prune(
    keep_mb: Annotated[int, typer.Option(min=0, help="Keep so much of what was used last.")] = 0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Remove environments that no step uses, longest unused first."""
    _environment_commands().prune(data_dir, keep_mb, as_json)


def _group(app: typer.Typer, name: str, help_: str) -> typer.Typer:
    """The group of commands with this name, which the client may have added already."""
    for group in app.registered_groups:
        if group.name == name and group.typer_instance is not None:
            return group.typer_instance
    added = typer.Typer(no_args_is_help=True, help=help_)
    app.add_typer(added, name=name)
    return added


def _demo() -> Path:
    """The demo's program, in the repository or beside the installed server."""
    here = Path(__file__).parent
    places = (here.parent / "examples", here / "examples")
    return next(p for place in places if (p := place / "digits" / "demo.py").exists())


def _commands() -> Any:
    return import_module("api.cli_commands")


def _audit_commands() -> Any:
    return import_module("api.audit_commands")


def _audit_signing() -> Any:
    return import_module("api.audit_signing")


def _artifact_commands() -> Any:
    return import_module("api.artifact_commands")


def _environment_commands() -> Any:
    return import_module("api.environment_commands")
