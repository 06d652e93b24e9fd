"""`hansard policies apply`: make what is in force what files say."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hansard.cli.connection import connected
from hansard.cli.output import AsJson, document, print_json, say
from hansard.cli.policy_text import (
    Comment,
    ConfirmLoss,
    compared,
    policy_or_none,
    read_text,
    say_failures,
)
from hansard.client_errors import HansardError

if TYPE_CHECKING:
    from hansard.client import Client
    from hansard.client.policy_results import Difference, Proposed


@dataclass(frozen=True, slots=True)
class _Change:
    """A text that differs from the one in force."""

    name: str
    text: str
    active: str
    digest: str | None  # of what is in force


def apply(
    file: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Policies in YAML; - for stdin.")
    ],
    message: Comment = "",
    confirm_loss: ConfirmLoss = 0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Test, propose and activate the texts that differ from those in force.

    Shows the lines that change, and how many rows people gain and lose, and asks before each.

    Example: hansard policies apply policies/*.yaml -m "as reviewed" --yes
    """
    if not yes and (as_json or "-" in file or not sys.stdin.isatty()):
        raise HansardError("nobody can be asked here: say --yes")
    texts = [read_text(each) for each in file]
    with connected() as client:
        changes = _differing(client, texts)
        _test(client, changes)
        done = [
            _put_in_force(client, change, message, confirm_loss, ask=not yes, quiet=as_json)
            for change in changes
        ]
    if as_json:
        print_json(done)
    elif not done:
        say(f"nothing to do: {len(texts)} text(s), and each is in force as it is")


def _differing(client: "Client", texts: Sequence[str]) -> list[_Change]:
    from hansard.client.policies import policy_name  # noqa: PLC0415 - with it come httpx, pydantic

    found: dict[str, _Change] = {}
    for text in texts:
        name = policy_name(text)
        if name in found:
            raise HansardError(f"two texts are for policy `{name}`")
        policy = policy_or_none(client, name)
        active = (policy and policy.active_text) or ""
        found[name] = _Change(name, text, active, policy.active_digest if policy else None)
    return [change for change in found.values() if change.text != change.active]


def _test(client: "Client", changes: Sequence[_Change]) -> None:
    """Run the tests of all texts before anything is proposed; leave with 1 where one fails."""
    failed = False
    for change in changes:
        tested = client.policies.test(change.text)
        say_failures(change.name, tested)
        failed = failed or not tested.passed
    if failed:
        raise typer.Exit(1)


def _put_in_force(
    client: "Client", change: _Change, message: str, confirm_loss: int, *, ask: bool, quiet: bool
) -> dict[str, Any]:
    made = client.policies.propose(change.text, message)
    answer = {"policy": change.name, "number": made.number}
    if made.digest == change.digest:
        _say_unless(quiet, f"{change.name}: differs in comments and layout only, left as it is")
        return {**answer, "state": "unchanged"}
    difference = client.policies.diff(change.name, made.number)
    if not quiet:
        _say_difference(change, made, difference)
    answer |= {"kinds": {kind: document(rows) for kind, rows in difference.kinds.items()}}
    if ask and not typer.confirm(f"Put proposal {made.number} of {change.name} in force?"):
        say(f"left: `hansard policies activate {change.name} {made.number}` does it later")
        return {**answer, "state": "proposed"}
    client.policies.activate(change.name, made.number, confirm_loss)
    _say_unless(quiet, f"{change.name}: proposal {made.number} is in force")
    return {**answer, "state": "activated"}


def _say_difference(change: _Change, made: "Proposed", difference: "Difference") -> None:
    say(compared(change.active, change.text, change.name))
    for kind, rows in difference.kinds.items():
        say(f"{kind}: {rows.gained} rows gained, {rows.lost} lost, by {difference.users} user(s)")


def _say_unless(quiet: bool, sentence: str) -> None:
    if not quiet:
        say(sentence)
