"""`hansard push`."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hansard.cli.connection import connected
from hansard.cli.output import AsJson, print_json, say, show_table
from hansard.cli.parameters import parse_tags

if TYPE_CHECKING:
    from hansard.client.results import Pushed


def push(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The code.")],
    name: Annotated[str | None, typer.Option(help="Push under this name.")] = None,
    project: Annotated[str | None, typer.Option(help="Id or name.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A tag.")] = None,
    alias: Annotated[list[str] | None, typer.Option(help="A name for the version.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Make a version even if one has the same content.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be packed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Pack a folder and publish it as the newest version under its name.

    What is a version already is not published again. Git's commit, and what is not committed, are
    told with the version.
    """
    if dry_run:
        _list_packed(folder, name, as_json)
        return
    from hansard.cli.progress import upload_bar  # noqa: PLC0415 - rich is slow to load

    with connected() as client, upload_bar("uploading") as update:
        pushed = client.push(
            folder,
            project,
            name,
            force=force,
            tags=parse_tags(tag or []),
            aliases=alias or (),
            on_progress=update,
        )
    if as_json:
        print_json(pushed.model_dump(mode="json"))
    else:
        _tell(pushed)


def _tell(pushed: "Pushed") -> None:
    what = f"{pushed.kind} {pushed.name}:{pushed.number}  {pushed.id}"
    if pushed.created:
        say(f"pushed {what}")
        if pushed.step is not None:
            say(f"a {pushed.step.step} change: {'; '.join(pushed.step.reasons)}")
    else:
        say(f"unchanged: {what} has this content; --force makes a version all the same")


def _list_packed(folder: Path, name: str | None, as_json: bool) -> None:
    from hansard.client.provenance import provenance  # noqa: PLC0415 - only this needs it
    from hansard.formats.archive import decode  # noqa: PLC0415 - same
    from hansard.formats.bundle import pack  # noqa: PLC0415 - same
    from hansard.local.parts import base_of  # noqa: PLC0415 - same

    with ExitStack() as clients:
        base = base_of(folder, lambda: clients.enter_context(connected()))
    bundle = pack(folder, name=name, base=base)
    manifest, git = bundle.manifest, provenance(folder) or {}
    files = {path: len(data) for path, data in sorted(decode(bundle.data).items())}
    if as_json:
        names = ("kind", "name", "entry", "base")
        about = {name: getattr(manifest, name) or None for name in names}
        print_json({**about, "digest": bundle.digest, "files": files, "git": git or None})
        return
    show_table(("path", "bytes"), ((path, f"{size:,}") for path, size in files.items()))
    say()
    say(f"{manifest.kind} {manifest.name}, {manifest.entry}: {len(files)} files")
    say(f"{sum(files.values()):,} bytes, digest {bundle.digest}")
    if base:
        say(f"in front of version {base.version}, {len(base.contents.files)} files")
    if git:
        say(f"commit {git['commit']}{', and changes since' if git['dirty'] else ''}")
