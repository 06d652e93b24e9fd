"""`hansard sync`: local runs that the platform has not been told of."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hansard.cli.connection import PATIENCE_S
from hansard.cli.output import AsJson, print_json, say, tell


def sync(
    folder: Annotated[
        Path | None, typer.Option(help="The spool; ~/.hansard/spool or HANSARD_SPOOL.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell the platform of runs that were begun offline, cut off or killed, each thing once.

    Exit code 1 if one is refused; it stays in the spool.
    """
    from hansard.client import Client  # noqa: PLC0415 - `hansard --help` needs no httpx
    from hansard.credentials import find_credentials  # noqa: PLC0415 - same
    from hansard.tracking.spool import spool_root  # noqa: PLC0415 - same
    from hansard.tracking.sync import sync as deliver  # noqa: PLC0415 - same

    found = find_credentials()
    with Client(found.url, found.token, patience_s=PATIENCE_S) as client:
        synced = list(deliver(client, found.url, folder or spool_root()))
    if as_json:
        print_json([asdict(each) for each in synced])
    elif not synced:
        say("there is nothing to deliver")
    for each in synced if not as_json else ():
        line = f"{each.run} {each.outcome}{f': {each.detail}' if each.detail else ''}"
        (tell if each.outcome == "refused" else say)(line)
    if any(each.outcome == "refused" for each in synced):
        raise typer.Exit(1)
