"""`hansard models`: weights in and out."""

from pathlib import Path
from typing import Annotated

import typer

from hansard.cli.compatibility import add_difference, add_executors
from hansard.cli.connection import connected
from hansard.cli.content import (
    AliasList,
    Card,
    Metrics,
    Parameters,
    Parents,
    Tags,
    add_content,
    card_text,
    tell_pushed,
)
from hansard.cli.entities import Description, InProject, group
from hansard.cli.output import AsJson, document, print_json
from hansard.cli.parameters import parse_attributes, parse_metrics, parse_tags


def models() -> typer.Typer:
    """The commands."""
    app = group("models", in_project=True, versioned=True)
    app.command()(push)
    add_content(app, "models")
    add_executors(app, "models")
    add_difference(app, "models")
    return app


def push(
    path: Annotated[Path, typer.Argument(exists=True, help="A folder, or one file.")],
    name: Annotated[str, typer.Option(help="Of the model; made if it is not there.")],
    project: InProject = None,
    alias: AliasList = None,
    tag: Tags = None,
    card: Card = None,
    metric: Metrics = None,
    param: Parameters = None,
    parent: Parents = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="REF", help="A dataset's version it was made with."),
    ] = None,
    description: Description = "",
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Keep what is refused otherwise, for nobody's use.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish weights as the next version of a model; only what is new is sent.

    Safetensors, ONNX, GGUF, skops, tables, text and images are accepted; pickles are refused.

    Example: hansard models push ./bert --name bert --alias champion --metric acc=0.93
    """
    from hansard.cli.progress import transfer_bar  # noqa: PLC0415 - rich is slow to load

    with connected() as client, transfer_bar() as told:
        pushed = client.models.push(
            path,
            name,
            project=project,
            description=description or None,
            card=card_text(card),
            metrics=parse_metrics(metric) if metric else None,
            parameters=parse_attributes(param) if param else None,
            tags=parse_tags(tag) if tag else None,
            aliases=alias or (),
            parents=parent or (),
            data=data or (),
            quarantine=quarantine,
            on_progress=told,
        )
    if as_json:
        print_json(document(pushed))
    else:
        tell_pushed(pushed)
