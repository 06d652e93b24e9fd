"""`hansard cache`: what this machine keeps of fetched and pushed files."""

from pathlib import Path
from typing import Annotated

import typer

from hansard.cli.group import subcommands
from hansard.cli.output import AsJson, print_json, say

cache = subcommands("The cache of this machine: what was fetched once is not fetched again.")


@cache.command("show")
def show_(as_json: AsJson = False) -> None:
    """Show where the cache is, how much it holds, and how much it may."""
    from hansard.artifacts.transfer import open_cache  # noqa: PLC0415 - loads blake3

    found = open_cache()
    files = _files(found.folder)
    told = {
        "folder": str(found.folder),
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "max_bytes": found.max_bytes,
    }
    if as_json:
        print_json(told)
    else:
        say(f"{told['folder']}: {told['files']:,} file(s)")
        say(f"{told['bytes']:,} bytes of at most {told['max_bytes']:,} (HANSARD_CACHE_MB)")


@cache.command()
def clear(
    memo: Annotated[
        bool, typer.Option("--memo", help="Also forget what local files were cut into.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what was fetched; tensors that are in use stay readable."""
    from hansard.artifacts.transfer import open_cache  # noqa: PLC0415 - loads blake3

    found = open_cache()
    files = _files(found.folder)
    freed = sum(path.stat().st_size for path in files)
    if memo:
        files += list(found.folder.glob("records.db*"))
    for path in files:
        path.unlink(missing_ok=True)
    if as_json:
        print_json({"folder": str(found.folder), "files": len(files), "freed_bytes": freed})
    else:
        say(f"removed {len(files):,} file(s), {freed:,} bytes")


@cache.command()
def verify(as_json: AsJson = False) -> None:
    """Read all that the cache holds and remove what is damaged; ends with 1 if anything was."""
    from hansard.artifacts.transfer import (  # noqa: PLC0415 - loads blake3
        check_cache,
        open_cache,
    )

    checked, damaged = check_cache(open_cache())
    if as_json:
        print_json({"checked": checked, "damaged": [str(path) for path in damaged]})
    else:
        say(f"{checked:,} part(s) are as they should be, {len(damaged):,} were damaged and removed")
    if damaged:
        raise typer.Exit(1)


def _files(folder: Path) -> list[Path]:
    """Parts, layouts, and what is on its way."""
    shelves = ("parts", "layouts", "incoming")
    return [path for shelf in shelves for path in (folder / shelf).rglob("*") if path.is_file()]
