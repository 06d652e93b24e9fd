"""`hansard projects|experiments|executors|models ...`: the same verbs for every noun."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.group import subcommands
from hansard.cli.listing import (
    ArchivedOption,
    Asked,
    CountOption,
    FilterOption,
    LimitOption,
    SortOption,
    show_found,
)
from hansard.cli.output import AsJson, show, show_list
from hansard.cli.parameters import parse_tags

if TYPE_CHECKING:
    from hansard.client import Client

Ref: TypeAlias = Annotated[str, typer.Argument(metavar="REF", help="Id or name.")]
InProject: TypeAlias = Annotated[str | None, typer.Option("--project", help="Id or name.")]
Name: TypeAlias = Annotated[str, typer.Argument(help="Free in its project.")]
Description: TypeAlias = Annotated[str, typer.Option(help="What it is for.")]
Select: TypeAlias = "Callable[[Client], Any]"
"""Picks one of the client's resources."""

_COLUMNS = ("id", "name", "description", "created_at")
VERSION_COLUMNS = ("id", "number", "aliases", "quality", "description", "created_at")


def group(noun: str, *, in_project: bool, versioned: bool) -> typer.Typer:
    """The commands of one noun, which is also the name of the client's resource.

    Of what is `versioned`, `show` is left to the caller.
    """
    app = subcommands(f"{noun.capitalize()}: list, show and change.")

    def select(client: "Client") -> Any:
        return getattr(client, noun)

    _add_list(app, noun, select, in_project=in_project)
    if not versioned:
        _add_show(app, noun, select)
    _add_changing(app, noun, select)
    if versioned:
        _add_versions(app, noun, select)
    else:
        _add_create(app, noun, select, in_project=in_project)
    return app


def _add_list(app: typer.Typer, noun: str, select: Select, *, in_project: bool) -> None:
    def listing(project: str | None, asked: Asked, as_json: bool) -> None:
        with connected() as client:
            if project is not None:
                asked = replace(asked, equal={"project": client.projects.get(project).id})
            show_found(select(client), asked, _COLUMNS, as_json)

    def list_in_project(
        project: InProject = None,
        filter_: FilterOption = None,
        sort: SortOption = None,
        count: CountOption = False,
        limit: LimitOption = 50,
        archived: ArchivedOption = False,
        as_json: AsJson = False,
    ) -> None:
        listing(project, Asked(filter_, sort, count, limit, archived), as_json)

    def list_all(
        filter_: FilterOption = None,
        sort: SortOption = None,
        count: CountOption = False,
        limit: LimitOption = 50,
        archived: ArchivedOption = False,
        as_json: AsJson = False,
    ) -> None:
        listing(None, Asked(filter_, sort, count, limit, archived), as_json)

    chosen = list_in_project if in_project else list_all
    example = f"hansard {noun} list --filter \"'prod' in tags\" --sort name"
    app.command("list", help=f"List {noun}, newest first.\n\nExample: {example}")(chosen)


def _add_show(app: typer.Typer, noun: str, select: Select) -> None:
    @app.command("show", help=f"Show one of the {noun}.")
    def show_(ref: Ref, as_json: AsJson = False) -> None:
        with connected() as client:
            show(select(client).get(ref), as_json)


def _add_changing(app: typer.Typer, noun: str, select: Select) -> None:
    @app.command(help="Rename, describe, or replace the tags.")
    def update(
        ref: Ref,
        name: Annotated[str | None, typer.Option(help="New name.")] = None,
        description: Annotated[str | None, typer.Option(help="New description.")] = None,
        tag: Annotated[
            list[str] | None, typer.Option(metavar="KEY=VALUE", help="A tag; replaces all.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        tags = parse_tags(tag) if tag else None
        with connected() as client:
            changed = select(client).update(ref, name=name, description=description, tags=tags)
            show(changed, as_json)

    @app.command(help=f"Hide one of the {noun} from lists; nothing is deleted.")
    def archive(ref: Ref, as_json: AsJson = False) -> None:
        with connected() as client:
            show(select(client).archive(ref), as_json)

    @app.command(help="Undo archive; takes the id.")
    def restore(ref: Ref, as_json: AsJson = False) -> None:
        with connected() as client:
            show(select(client).restore(ref), as_json)


def _add_create(app: typer.Typer, noun: str, select: Select, *, in_project: bool) -> None:
    singular = noun.removesuffix("s")

    def create_in_project(
        name: Name,
        project: InProject = None,
        description: Description = "",
        as_json: AsJson = False,
    ) -> None:
        with connected() as client:
            made = select(client).create(name, project=project, description=description)
            show(made, as_json)

    def create(name: Name, description: Description = "", as_json: AsJson = False) -> None:
        with connected() as client:
            show(select(client).create(name, description=description), as_json)

    chosen = create_in_project if in_project else create
    app.command("create", help=f"Make a new {singular}.")(chosen)


def _add_versions(app: typer.Typer, noun: str, select: Select) -> None:
    singular = noun.removesuffix("s")

    @app.command(help=f"List the versions of a {singular}, newest first.")
    def versions(ref: Ref, as_json: AsJson = False) -> None:
        with connected() as client:
            show_list(list(select(client).versions(ref)), VERSION_COLUMNS, as_json)
