"""`hansard run`: asks for a run, and follows it to its end."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.launches import show_group, show_verdict
from hansard.cli.local_run import IsolatedOption, LocalOption, LocalRun, run_locally
from hansard.cli.output import AsJson, members, print_json, say, tell
from hansard.cli.parameters import (
    Kept,
    Parameters,
    parse_keep,
    parse_parameters,
    parse_seeds,
    parse_slots,
    parse_tags,
    parse_variables,
)

if TYPE_CHECKING:
    from hansard.client import Client, Fill, Run, RunGroup
    from hansard.client.requesting import Terms

_INTERRUPTED = 130
_DROPPED: tuple[Literal["none"], None] = ("none", None)

SlotsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--slot",
        "-s",
        metavar="SLOT=REF",
        help="What fills a slot: id, NAME or NAME:3. Given again it fills a slot of many; "
        "trainer.model=... fills a slot of the executor in slot trainer.",
    ),
]
ParamsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter: epochs=5 of the executor, model.width=32 of what is in slot model, "
        "data.1.size=9 of the second part in slot data, model.predict.top=3 of a method. JSON "
        "where it can be read as such, else text. One that is secret takes the name of a secret: "
        '\'token={"secret": "hub"}\'.',
    ),
]
KeepOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SLOT[=NAME]",
        help="Keep the trained model of this slot as a version, or as a new model of this name.",
    ),
]
TagsOption: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="A tag.")
]
EnvOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="An environment variable of the step; no secrets."),
]
SecretEnvOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=SECRET", help="An environment variable with the value of a secret."),
]
Experiment: TypeAlias = Annotated[str, typer.Option(help="Id or name; made if it is not there.")]
Amount: TypeAlias = Annotated[int | None, typer.Option(help="Of one node.")]
WallTime: TypeAlias = Annotated[int | None, typer.Option(help="Stop it after so many seconds.")]
SeedsOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="COUNT|SEED,SEED,...",
        help="One run for each of these seeds, or for so many that are drawn.",
    ),
]
NetworkOption: TypeAlias = Annotated[
    bool, typer.Option("--network", help="With a network, where the sandbox would cut it.")
]
SandboxOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Isolated so much at least: none, limits or bubblewrap.")
]
WorkersOption: TypeAlias = Annotated[
    int | None,
    typer.Option(help="So many processes execute it together, each with a rank; they share CPUs."),
]
DryRunOption: TypeAlias = Annotated[
    bool,
    typer.Option("--dry-run", help="Ask for nothing: show all that would stand against it."),
]
WatchOption: TypeAlias = Annotated[
    bool, typer.Option("--watch", "-w", help="Show live progress until it has ended.")
]

_WISHES = ("cpus", "gpus", "memory_mb", "wall_time_s", "network", "sandbox", "workers")
"""What a run may say of the node it needs."""


def run(
    executor: Annotated[str, typer.Argument(help="Id, NAME, or NAME:3 for a version.")],
    slot: SlotsOption = None,
    param: ParamsOption = None,
    keep: KeepOption = None,
    experiment: Experiment = "default",
    project: Annotated[str | None, typer.Option(help="Id or name.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    tag: TagsOption = None,
    env: EnvOption = None,
    secret_env: SecretEnvOption = None,
    seed: Annotated[int | None, typer.Option(help="Drawn if not given.")] = None,
    seeds: SeedsOption = None,
    cpus: Amount = None,
    gpus: Amount = None,
    memory_mb: Amount = None,
    wall_time_s: WallTime = None,
    network: NetworkOption = False,
    sandbox: SandboxOption = None,
    workers: WorkersOption = None,
    pool: Annotated[str | None, typer.Option(help="Pool of nodes; `default` if not given.")] = None,
    priority: Annotated[int | None, typer.Option(help="0 if not given; higher goes first.")] = None,
    group: Annotated[str | None, typer.Option(help="Whose shares and quotas count.")] = None,
    dry_run: DryRunOption = False,
    watch: WatchOption = False,
    local: LocalOption = False,
    isolated: IsolatedOption = False,
    as_json: AsJson = False,
) -> None:
    """Ask for a run of an executor with its slots filled, or for one with each of several seeds.

    With --local it runs here instead, without a server, of folders of code or names of versions.
    """
    slots = parse_slots(slot or [])
    parameters, kept = parse_parameters(param or [], slots), parse_keep(keep or [], slots)
    given = parse_variables(env or [], secret_env or [])
    if local or isolated:
        how = isolated, given, workers or 1
        run_locally(LocalRun(executor, slots, parameters, list(kept), name, seed, *how), as_json)
        return
    amounts = _given(cpus, gpus, memory_mb, wall_time_s, network or None, sandbox, workers)
    terms = _terms(experiment, project, name, seed, tag, given, amounts, (pool, priority, group))
    parts = executor, _fills(slots, parameters, kept), parameters.executor
    many = parse_seeds(seeds)
    with connected() as client:
        if dry_run:
            show_verdict(client.runs.validate(*parts, seeds=many, **terms), as_json)
        else:
            _ask(client, parts, many, terms, watch, as_json)


def _ask(
    client: "Client",
    parts: "tuple[str, dict[str, Fill], dict[str, Any]]",
    seeds: int | list[int] | None,
    terms: "Terms",
    watch: bool,
    as_json: bool,
) -> None:
    if seeds is not None:
        _grouped(client, client.runs.replicate(*parts, seeds=seeds, **terms), watch, as_json)
    else:
        _asked(client.run(*parts, **terms), watch, as_json)


def _terms(
    experiment: str,
    project: str | None,
    name: str | None,
    seed: int | None,
    tags: list[str] | None,
    variables: dict[str, Any],
    amounts: dict[str, int | str],
    claim: tuple[str | None, int | None, str | None],
) -> "Terms":
    pool, priority, group = claim
    return {
        "experiment": experiment,
        "project": project,
        "name": name,
        "seed": seed,
        "resources": amounts,
        "tags": parse_tags(tags or []),
        "variables": variables,
        "pool": pool,
        "priority": priority,
        "group": group,
    }


def _given(*wishes: int | str | None) -> dict[str, int | str]:
    return {name: wish for name, wish in zip(_WISHES, wishes, strict=True) if wish is not None}


def _grouped(client: "Client", group: "RunGroup", watch: bool, as_json: bool) -> None:
    ended = client.runs.wait_for_group(group.id) if watch else group
    show_group(ended, as_json, ended=watch)


def _asked(asked: "Run", watch: bool, as_json: bool) -> None:
    if watch:
        follow(asked, as_json)
    elif as_json:
        print_json(asked.model_dump(mode="json"))
    else:
        say(f"{asked.id} is {asked.status}; see `hansard runs watch {asked.id}`")


def follow(asked: "Run", as_json: bool) -> None:
    """Show a run to its end and leave with its exit code."""
    from hansard.cli.watch import watch  # noqa: PLC0415 - draws with rich, which is slow to load

    try:
        ended = watch(asked, quiet=as_json)
    except KeyboardInterrupt:
        tell(f"{asked.id} goes on: `hansard runs watch {asked.id}` or `hansard runs cancel ...`")
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        print_json(ended.model_dump(mode="json"))
    else:
        _sum_up(ended)
    if ended.status != "succeeded":
        raise typer.Exit(1)


def _sum_up(ended: "Run") -> None:
    if ended.status == "succeeded":
        say(f"{ended.id} has succeeded  {members(ended.results or {})}".rstrip())
        for output in ended.outputs or ():
            if (why := output.get("refused")) is not None:
                tell(f"the model in slot `{output['slot']}` stays with the run: {why['detail']}")
        return
    failure = ended.failure or {}
    reason = ended.reason or failure.get("message") or "no reason was recorded"
    tell(f"{ended.id}: {ended.status}: {reason}")
    if failure.get("traceback"):
        tell(str(failure["traceback"]).rstrip())


def _fills(
    slots: Mapping[str, str], parameters: Parameters, kept: Mapping[str, Kept]
) -> "dict[str, Fill]":
    from hansard.client import Fill  # noqa: PLC0415 - `hansard --help` needs no httpx

    found = {}
    for slot, ref in slots.items():
        keep, name = kept.get(slot, _DROPPED)
        given, methods = parameters.slots.get(slot, {}), parameters.methods.get(slot, {})
        found[slot] = Fill(ref, given, keep, name, methods)
    return found
