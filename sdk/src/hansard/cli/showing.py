"""`show` for what has versions: all of them, and of one the files, the card and its origin."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.entities import VERSION_COLUMNS
from hansard.cli.output import AsJson, document, print_json, say, show, show_list, show_table
from hansard.client_errors import HansardError, NotFound

if TYPE_CHECKING:
    from hansard.client.results import Version

VersionRef: TypeAlias = Annotated[
    str, typer.Argument(metavar="REF", help="Id, NAME, NAME:3 or NAME@alias.")
]

_FILES_SHOWN = 50


def add_show(app: typer.Typer, noun: str) -> None:
    """The command of a noun, which is also the client's resource."""
    singular = noun.removesuffix("s")
    about = f"Show a {singular}: its versions, and of one of them the files and the card."

    @app.command("show", help=f"{about}\n\nExample: hansard {noun} show NAME:3")
    def show_(
        ref: VersionRef,
        diff: Annotated[
            bool, typer.Option("--diff", help="Only what git had not committed of its code.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        with connected() as client:
            resource = getattr(client, noun)
            entity, version = _found(resource, ref)
            if diff:
                _show_diff(version, as_json)
                return
            files: list[Any] = []
            if version is not None and version.content is not None and not version.deleted:
                files = list(client.artifacts.files(version.content.artifact))
            if as_json:
                shown = None if version is None else document(version)
                listed = [document(file) for file in files]
                print_json({**document(entity), "version": shown, "files": listed})
                return
            show(entity, False)
            if version is not None:
                say()
                show_list(list(resource.versions(entity.id)), VERSION_COLUMNS, False)
                say()
                _show_version(version, files)


def _found(resource: Any, ref: str) -> "tuple[Any, Version | None]":
    """What is shown: the named thing, and one version unless it has none."""
    try:
        version = resource.version(ref)
    except NotFound as error:
        try:
            return resource.get(ref), None
        except NotFound:
            raise error from None
    return resource.get(version.abstraction), version


def _show_version(version: "Version", files: Iterable[Any]) -> None:
    left_out = {"card", "profile", "examples", "checks", "check_examples", "artifacts", "source"}
    git = _git(version)
    if git:
        left_out |= {"origin_source"}
    show(version.model_copy(update=dict.fromkeys(left_out)), False)
    _show_code(version, git)
    listed = [*files, *version.artifacts]
    if listed:
        say()
        rows = [(file.path, f"{file.size:,}") for file in listed[:_FILES_SHOWN]]
        show_table(("path", "bytes"), rows)
    if len(listed) > _FILES_SHOWN:
        say(f"and {len(listed) - _FILES_SHOWN:,} more")
    if version.card:
        say()
        say(version.card)


def _show_code(version: "Version", git: Mapping[str, Any]) -> None:
    """Which class of which bundle it is, and which commit that was."""
    source = version.source
    if source is None:
        return
    say()
    say(f"code    {source['entry']} in bundle {source['bundle']}")
    for requirement in source["requirements"]:
        say(f"needs   {requirement}")
    if git:
        place = " ".join(git[name] for name in ("remote", "branch") if name in git)
        say(f"commit  {git['commit']} {place}".rstrip())
        say(f"dirty   {_changes(git)}")


def _changes(git: Mapping[str, Any]) -> str:
    if not git["dirty"]:
        return "no"
    untracked = ", ".join(git.get("untracked", []))
    shown = ["changed files: see --diff"] if git.get("diff") else []
    shown += [f"files in no commit: {untracked}"] if untracked else []
    return "; ".join(shown)


def _show_diff(version: "Version | None", as_json: bool) -> None:
    git = {} if version is None else _git(version)
    if as_json:
        print_json(git or None)
        return
    if not git:
        raise HansardError("nothing is known of a commit that this version was made of")
    states = [git, *git.get("packages", {}).values()]
    for text in (state.get("diff", "") for state in states):
        say(text.rstrip("\n"))
    if any(state.get("diff_cut") for state in states):
        say("... (too long: the rest was not kept)")


def _git(version: "Version") -> dict[str, Any]:
    """What git said of the code when it was pushed; empty if it said nothing."""
    match version.origin_source:
        case {"git": dict(git)}:
            return git
        case _:
            return {}
