"""`hansard run-code`: a folder and a command."""

from pathlib import Path
from typing import Annotated

import typer

from hansard.cli.connection import connected
from hansard.cli.local_run import LocalOption, run_code_locally
from hansard.cli.output import AsJson, print_json, say
from hansard.cli.parameters import parse_tags
from hansard.cli.run import Amount, Experiment, TagsOption, WallTime, WatchOption, follow


def run_code(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The code.")],
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
    code: Annotated[
        str | None, typer.Option(help="Name of the executor that the folder becomes; its own.")
    ] = None,
    experiment: Experiment = "default",
    project: Annotated[str | None, typer.Option(help="Id or name.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    tag: TagsOption = None,
    seed: Annotated[int | None, typer.Option(help="Drawn if not given.")] = None,
    cpus: Amount = None,
    gpus: Amount = None,
    memory_mb: Amount = None,
    wall_time_s: WallTime = None,
    watch: WatchOption = False,
    local: LocalOption = False,
    as_json: AsJson = False,
) -> None:
    """Pack a folder and ask for a run of a command in it.

    What requirements.txt or pyproject.toml lists is locked and installed; hansard.log_metric and
    the like work; files that the command leaves in `outputs` are items of the run.

    Example: hansard run-code ./train -- python train.py --lr 0.1
    """
    if local:
        run_code_locally(folder, command, name, seed, as_json)
        return
    wanted = {"cpus": cpus, "gpus": gpus, "memory_mb": memory_mb, "wall_time_s": wall_time_s}
    with connected() as client:
        asked = client.run_code(
            folder,
            command,
            code=code,
            experiment=experiment,
            project=project,
            name=name,
            resources={unit: amount for unit, amount in wanted.items() if amount is not None},
            seed=seed,
            tags=parse_tags(tag or []),
        )
    if watch:
        follow(asked, as_json)
    elif as_json:
        print_json(asked.model_dump(mode="json"))
    else:
        say(f"{asked.id} is {asked.status}; see `hansard runs watch {asked.id}`")
