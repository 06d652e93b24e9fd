"""What `hansard models` and `hansard datasets` share: fetched, shown, named, governed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.output import AsJson, document, print_json, say, show, tell
from hansard.cli.parameters import parse_attributes, parse_metrics, parse_numbers, parse_tags
from hansard.cli.sharing import parse_until
from hansard.cli.showing import VersionRef, add_show
from hansard.client_errors import HansardError

if TYPE_CHECKING:
    from hansard.client import Client
    from hansard.client.results import Version

NewFolder: TypeAlias = Annotated[Path, typer.Argument(help="A folder that does not exist yet.")]
Reason: TypeAlias = Annotated[str, typer.Option(help="Why; it is kept in the record.")]
Tags: TypeAlias = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A tag.")]
Metrics: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="NAME=NUMBER", help="A measured value: acc=0.93.")
]
Parameters: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="What it was made with; JSON where it reads as such."),
]
Card: TypeAlias = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the card, Markdown.")
]
AliasList: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="ALIAS", help="A name for this version: champion.")
]
Parents: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="REF", help="A version that it was made of.")
]


def add_content(app: typer.Typer, noun: str) -> None:
    """The commands on versions with content; `noun` is also the client's resource."""
    _add_pull(app, noun)
    add_show(app, noun)
    _add_alias(app, noun)
    _add_annotate(app, noun)
    _add_delete(app, noun)
    _add_keeping(app, noun)


def card_text(card: Path | None) -> str | None:
    """The text of a card. Raises HansardError where it is none."""
    try:
        return None if card is None else card.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise HansardError(f"`{card}` is no text in UTF-8") from None


def tell_pushed(pushed: Any) -> None:
    """The line that says what a push did."""
    what = "pushed" if pushed.created else "unchanged:"
    size = f"  {pushed.content.size:,} bytes, {pushed.sent:,} sent" if pushed.content else ""
    say(f"{what} {pushed.kind} {pushed.name}:{pushed.number}  {pushed.id}{size}")


def _add_pull(app: typer.Typer, noun: str) -> None:
    example = f"hansard {noun} pull NAME@champion ./out"
    about = f"Fetch the files of a version, checked, into a new folder.\n\nExample: {example}"

    def pull(ref: VersionRef, folder: NewFolder, as_json: AsJson = False) -> None:
        from hansard.cli.progress import bytes_bar  # noqa: PLC0415 - rich is slow to load

        with connected() as client:
            version = getattr(client, noun).version(ref)
            size, files = _extent(version)
            tell(f"{version.id}: {files} file(s), {size:,} bytes")
            with bytes_bar("fetching", size) as advance:
                client.download(version, folder, on_progress=advance)
        if as_json:
            paths = sorted(
                str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
            )
            print_json({"version": version.id, "folder": str(folder), "files": paths})
        else:
            say(str(folder))

    app.command("pull", help=about)(pull)
    if noun == "models":
        app.command("download", help="The same as `pull`.")(pull)


def _extent(version: "Version") -> tuple[int, int]:
    """Bytes and number of files."""
    if version.content is not None:
        return version.content.size, version.content.files
    return sum(artifact.size for artifact in version.artifacts), len(version.artifacts)


def _add_alias(app: typer.Typer, noun: str) -> None:
    example = f"hansard {noun} alias NAME champion=4 challenger=3 old="
    about = "Name versions, all at once; an empty number takes the alias away."

    @app.command(help=f"{about}\n\nExample: {example}")
    def alias(
        ref: Annotated[str, typer.Argument(metavar="REF", help="Id or name.")],
        aliases: Annotated[list[str], typer.Argument(metavar="ALIAS=NUMBER...")],
        as_json: AsJson = False,
    ) -> None:
        moved = parse_numbers(aliases)
        with connected() as client:
            show(getattr(client, noun).alias(ref, moved), as_json)


def _add_annotate(app: typer.Typer, noun: str) -> None:
    example = f"hansard {noun} annotate NAME:3 --card README.md --tag reviewed=yes"

    @app.command(help=f"Say something else of a version; each kind whole.\n\nExample: {example}")
    def annotate(
        ref: VersionRef,
        description: Annotated[str | None, typer.Option(help="New description.")] = None,
        tag: Tags = None,
        card: Card = None,
        metric: Metrics = None,
        param: Parameters = None,
        as_json: AsJson = False,
    ) -> None:
        with connected() as client:
            version = getattr(client, noun).version(ref)
            changed = client.versions.annotate(
                version.id,
                description=description,
                tags=parse_tags(tag) if tag else None,
                card=card_text(card),
                metrics=parse_metrics(metric) if metric else None,
                parameters=parse_attributes(param) if param else None,
            )
            show(changed, as_json)


def _add_delete(app: typer.Typer, noun: str) -> None:
    example = f'hansard {noun} delete NAME:1 --reason "superseded"'
    about = "Give up the bytes of a version for good; its number and record stay."

    @app.command(help=f"{about}\n\nExample: {example}")
    def delete(
        ref: VersionRef,
        reason: Reason,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
        as_json: AsJson = False,
    ) -> None:
        if not yes and not sys.stdin.isatty():
            raise HansardError("nobody can be asked here: say --yes")
        with connected() as client:
            version = getattr(client, noun).version(ref)
            size, files = _extent(version)
            what = f"version {version.number} ({version.id}; {files} file(s), {size:,} bytes)"
            if not yes:
                typer.confirm(f"Delete the content of {what} for good?", abort=True, err=True)
            deleted = client.versions.delete(version.id, reason)
        if as_json:
            print_json(document(deleted))
        else:
            say(f"deleted {what}: {deleted.freed_bytes:,} bytes are freed")


def _add_keeping(app: typer.Typer, noun: str) -> None:
    def on_version(ref: str, act: "Callable[[Client, str], Version]", as_json: bool) -> None:
        with connected() as client:
            show(act(client, getattr(client, noun).version(ref).id), as_json)

    example = f'hansard {noun} hold NAME:3 --reason "audit 2026-7"'

    @app.command(help=f"Keep the bytes of a version until released.\n\nExample: {example}")
    def hold(ref: VersionRef, reason: Reason, as_json: AsJson = False) -> None:
        on_version(ref, lambda client, id_: client.versions.hold(id_, reason), as_json)

    @app.command(help="End the hold on a version.")
    def release(ref: VersionRef, reason: Reason, as_json: AsJson = False) -> None:
        on_version(ref, lambda client, id_: client.versions.release(id_, reason), as_json)

    example = f"hansard {noun} retain NAME:3 --until 2027-01-01"

    @app.command(
        help="Keep the bytes of a version at least until a time; it cannot be taken back.\n\n"
        f"Example: {example}"
    )
    def retain(
        ref: VersionRef,
        until: Annotated[str, typer.Option(help="2026-12-01, a date with a time, or 12h, 3d, 2w.")],
        as_json: AsJson = False,
    ) -> None:
        time = parse_until(until)
        on_version(ref, lambda client, id_: client.versions.retain(id_, time), as_json)
