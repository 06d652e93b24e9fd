"""`hansard executors candidates`, `hansard models executors`, `... difference`: what fits where."""

from itertools import islice
from typing import Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.listing import FilterOption, LimitOption, SortOption
from hansard.cli.output import AsJson, document, print_json, say, show_list, show_table
from hansard.cli.showing import VersionRef

VerdictOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help="possible (what fits, and what nobody has checked), fits, unchecked or refused."
    ),
]
_VERDICTS = ("possible", "fits", "unchecked", "refused")


def add_candidates(app: typer.Typer) -> None:
    """The command of executors."""

    @app.command()
    def candidates(
        ref: VersionRef,
        slot: Annotated[str, typer.Argument(help="Of the executor.")],
        verdict: VerdictOption = "possible",
        filter_: FilterOption = None,
        sort: SortOption = None,
        limit: LimitOption = 50,
        as_json: AsJson = False,
    ) -> None:
        """List the versions that can fill a slot, with the reasons where nobody can tell.

        Example: hansard executors candidates train model --filter "kind == 'model'"
        """
        with connected() as client:
            every = client.executors.candidates(
                ref, slot, verdict=_checked(verdict), filter=filter_, sort=sort
            )
            found = list(islice(every, limit))
        columns = ("id", "kind", "name", "number", "verdict", "reasons")
        if as_json:
            print_json([document(each) for each in found])
        else:
            show_list(found, columns, False)


def add_executors(app: typer.Typer, noun: str) -> None:
    """The command of models and loaders."""

    @app.command(
        help="List the executors that take a version, with the slots that it can fill.\n\n"
        f"Example: hansard {noun} executors NAME:3"
    )
    def executors(
        ref: VersionRef,
        verdict: VerdictOption = "possible",
        filter_: FilterOption = None,
        sort: SortOption = None,
        limit: LimitOption = 50,
        as_json: AsJson = False,
    ) -> None:
        with connected() as client:
            every = getattr(client, noun).executors(
                ref, verdict=_checked(verdict), filter=filter_, sort=sort
            )
            found = list(islice(every, limit))
        if as_json:
            print_json([document(each) for each in found])
            return
        rows = (
            (each.id, each.name, each.number, slot, fit.verdict, list(fit.reasons))
            for each in found
            for slot, fit in each.slots.items()
        )
        show_table(("id", "name", "number", "slot", "verdict", "reasons"), rows)


def add_difference(app: typer.Typer, noun: str) -> None:
    """The command of everything that is code."""

    @app.command(
        help="Say what changed in a version for those who use it, as a step of SemVer.\n\n"
        f"Example: hansard {noun} difference NAME:3 --old 1"
    )
    def difference(
        ref: VersionRef,
        old: Annotated[
            int | None, typer.Option(min=1, help="Number to compare with; the one before it.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        with connected() as client:
            found = getattr(client, noun).difference(ref, old)
        if as_json:
            print_json(document(found))
            return
        say(f"{found.step}: version {found.old} to {found.new}")
        for reason in found.reasons:
            say(f"  {reason}")


def _checked(verdict: str) -> Any:
    if verdict not in _VERDICTS:
        raise typer.BadParameter(f"one of {', '.join(_VERDICTS)}", param_hint="--verdict")
    return verdict
