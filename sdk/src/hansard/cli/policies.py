"""`hansard policies ...`: read policies, try texts, propose them and put them in force."""

from typing import Annotated, Any, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.group import subcommands
from hansard.cli.listing import (
    Asked,
    CountOption,
    FilterOption,
    LimitOption,
    SortOption,
    show_count,
)
from hansard.cli.listing import listed as matching
from hansard.cli.output import AsJson, document, print_json, say, show_table
from hansard.cli.policy_text import (
    Comment,
    ConfirmLoss,
    TextFile,
    compared,
    policy_or_none,
    read_text,
    say_failures,
)
from hansard.client_errors import HansardError

PolicyName: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="Name of the policy.")]
Number: TypeAlias = Annotated[int, typer.Argument(min=1, help="Number of the proposal.")]


def group() -> typer.Typer:
    """The commands of one policy at a time; others are added to them."""
    app = subcommands("Policies: who may do what; read, try, propose, activate, question.")
    app.command("list")(list_)
    app.command("show")(show_)
    app.command("test")(run_tests)
    for command in (history, diff, propose, approve, activate, retire, schema):
        app.command()(command)
    return app


def list_(
    filter_: FilterOption = None,
    sort: SortOption = None,
    count: CountOption = False,
    limit: LimitOption = 500,
    as_json: AsJson = False,
) -> None:
    """List policies by name, with the number of the proposal in force.

    Example: hansard policies ls
    """
    asked = Asked(filter_, sort, count, limit)
    with connected() as client:
        if count:
            show_count(client.policies, asked, as_json)
            return
        found = matching(client.policies, asked)
    if as_json:
        print_json([document(policy) for policy in found])
        return
    columns = ("name", "in force", "proposals", "updated_at")
    show_table(columns, ([p.name, p.active, len(p.proposals), p.updated_at] for p in found))


def show_(
    name: PolicyName,
    number: Annotated[int | None, typer.Option(min=1, help="A proposal, in force or not.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the text of a policy, as `policies apply` reads it.

    Example: hansard policies show reading > reading.yaml
    """
    with connected() as client:
        policy = client.policies.get(name)
    if as_json:
        print_json(document(policy))
        return
    wanted = policy.active if number is None else number
    text = next((p.text for p in policy.proposals if p.number == wanted), None)
    if text is None:
        what = "is not in force" if number is None else f"has no proposal {number}"
        raise HansardError(f"policy {policy.name} {what}; it has {len(policy.proposals)} proposals")
    say(text.rstrip("\n"))


def history(name: PolicyName, as_json: AsJson = False) -> None:
    """Show who proposed, approved, activated and retired what, and why."""
    with connected() as client:
        steps = client.policies.history(name)
    if as_json:
        print_json([document(step) for step in steps])
        return
    rows = ([s.at, s.what, s.number, s.by, s.comment or s.reason or ""] for s in steps)
    show_table(("at", "what", "number", "by", "why"), rows)


def run_tests(file: TextFile, as_json: AsJson = False) -> None:
    """Run the tests in a policy's text among the policies in force; exit code 1 if one fails.

    Example: hansard policies test reading.yaml
    """
    text = read_text(file)
    with connected() as client:
        tested = client.policies.test(text)
    if as_json:
        print_json(document(tested))
    elif tested.passed:
        say("all tests pass")
    else:
        say_failures(_name(text), tested)
    if not tested.passed:
        raise typer.Exit(1)


def diff(
    file: TextFile,
    user: Annotated[
        str | None, typer.Option(help="What this user would gain and lose; you by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a text with the one in force: lines, and what somebody would see more and less.

    Example: hansard policies diff reading.yaml --user user-...
    """
    text = read_text(file)
    name = _name(text)
    with connected() as client:
        policy = policy_or_none(client, name)
        lines = compared((policy and policy.active_text) or "", text, name)
        readable = [
            kind
            for kind, about in client.policies.schema()["kinds"].items()
            if about["listed"] and "read" in about["actions"]
        ]
        changes = {
            kind: client.policies.what_if(text, subject=user, kind=kind) for kind in readable
        }
    touched = {kind: c for kind, c in changes.items() if c.gained.count or c.lost.count}
    if as_json:
        kinds = {kind: document(change) for kind, change in touched.items()}
        print_json({"policy": name, "diff": lines, "kinds": kinds})
        return
    say(lines or f"{name}: the same as in force")
    for kind, change in touched.items():
        say(f"{kind}: {change.gained.count} more to see, {change.lost.count} less")


def propose(file: TextFile, message: Comment = "", as_json: AsJson = False) -> None:
    """Propose a text for a policy, new or not; nothing is in force by that.

    Example: hansard policies propose reading.yaml -m "auditors read everything"
    """
    text = read_text(file)
    with connected() as client:
        made = client.policies.propose(text, message)
    if as_json:
        print_json(document(made))
    else:
        name = _name(text)
        say(f"proposal {made.number} of {name}: `hansard policies activate {name} {made.number}`")


def approve(name: PolicyName, number: Number, as_json: AsJson = False) -> None:
    """Agree to a proposal of somebody else.

    Example: hansard policies approve reading 3
    """
    with connected() as client:
        policy = client.policies.approve(name, number)
    _told(policy, f"proposal {number} of {policy.name} has your approval", as_json)


def activate(
    name: PolicyName, number: Number, confirm_loss: ConfirmLoss = 0, as_json: AsJson = False
) -> None:
    """Put a proposal in force.

    Example: hansard policies activate reading 3 --confirm-loss 1200
    """
    with connected() as client:
        policy = client.policies.activate(name, number, confirm_loss)
    _told(policy, f"proposal {number} of {policy.name} is in force", as_json)


def retire(
    name: PolicyName,
    message: Annotated[str, typer.Option("--message", "-m", help="Why, for the record.")],
    confirm_loss: ConfirmLoss = 0,
    as_json: AsJson = False,
) -> None:
    """Put a policy out of force.

    Example: hansard policies retire noting -m "notes are for everybody"
    """
    with connected() as client:
        policy = client.policies.retire(name, message, confirm_loss)
    _told(policy, f"{policy.name} is out of force", as_json)


def schema(
    kind: Annotated[str | None, typer.Argument(help="run, model, user ... or subject.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what policies and filters can speak of: kinds, their actions and attributes.

    Example: hansard policies schema run
    """
    with connected() as client:
        about = client.policies.schema()
    kinds: dict[str, Any] = {**about["kinds"], "subject": {"attributes": about["subject"]}}
    if kind is not None and kind not in kinds:
        raise HansardError(f"there is no kind `{kind}`; there are {', '.join(kinds)}")
    if as_json:
        print_json(about if kind is None else kinds[kind])
    elif kind is None:
        rows = [[name, ", ".join(of.get("actions", ()))] for name, of in kinds.items()]
        show_table(("kind", "actions"), rows)
    else:
        _say_kind(kinds[kind])


def _say_kind(of: dict[str, Any]) -> None:
    if "actions" in of:
        say(f"actions   {', '.join(of['actions'])}")
        say(f"maskable  {', '.join(of['maskable'])}")
        say(f"maps      {', '.join(of['maps'])}")
    places = {"policies, filters": of["attributes"], "filters": of.get("filters", {})}
    rows = [
        [name, attribute["type"], attribute["nullable"], place]
        for place, attributes in places.items()
        for name, attribute in attributes.items()
    ]
    show_table(("attribute", "type", "may be missing", "in"), rows)


def _told(policy: Any, sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(document(policy))
    else:
        say(sentence)


def _name(text: str) -> str:
    from hansard.client.policies import policy_name  # noqa: PLC0415 - with it come httpx, pydantic

    return policy_name(text)
