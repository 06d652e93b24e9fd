"""What `hansard envs ls|prune` do; `api.cli` loads this when one is called."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from infra.environments.store import EnvironmentStore, sdk_wheel
from infra.logging import set_up_logging
from infra.settings import Settings

_MB = 1024 * 1024


def ls(data_dir: Path | None, as_json: bool) -> None:
    """List what is built."""
    found = _store(data_dir).listed()
    if as_json:
        typer.echo(json.dumps({"items": [asdict(built) for built in found]}))
        return
    for built in found:
        used = datetime.fromtimestamp(built.used_at, UTC).isoformat(" ", "minutes")
        facts = f"python {built.python}  {built.variant}  {built.size_bytes // _MB} MB"
        typer.echo(f"{built.digest[:12]}  {facts}  used {used}")


def prune(data_dir: Path | None, keep_mb: int, as_json: bool) -> None:
    """Remove until ``keep_mb`` are left."""
    removed = _store(data_dir).evict(keep_mb * _MB)
    text = json.dumps({"removed": removed}) if as_json else f"removed {len(removed)} environments"
    typer.echo(text)


def _store(data_dir: Path | None) -> EnvironmentStore:
    set_up_logging("environments")  # on stderr: what is printed stays one document
    settings = Settings(data_dir=data_dir) if data_dir else Settings()
    return EnvironmentStore(settings.environments, sdk_wheel(settings.environments))
