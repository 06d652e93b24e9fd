"""`hansard policies explain|who-can|what-if`."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from hansard.cli.connection import connected
from hansard.cli.listing import LimitOption
from hansard.cli.output import AsJson, document, print_json, say, show_table
from hansard.cli.parameters import parse_attributes
from hansard.cli.policy_text import read_text
from hansard.cli.sharing import EntityRef

if TYPE_CHECKING:
    from hansard.client import Client, Explanation, Supposition
    from hansard.client.policy_results import Rows

Action: TypeAlias = Annotated[str, typer.Option(help="read, update, share, use ...")]


def add_questions(app: typer.Typer) -> None:
    """Add them to `hansard policies`."""
    app.command()(explain)
    app.command("who-can")(who_can)
    app.command("what-if")(what_if)


def explain(
    entity: EntityRef,
    action: Action = "read",
    user: Annotated[str | None, typer.Option(help="Who; you by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say why somebody may or may not do something to an entity, rule by rule.

    Example: hansard policies explain model/digits-net --action share --user user-...
    """
    with connected() as client:
        found = client.policies.explain(entity, action, user)
    if as_json:
        print_json(document(found))
    else:
        _say_explanation(found)


def who_can(
    action: Annotated[str, typer.Argument(help="read, update, share, use ...")],
    entity: EntityRef,
    limit: LimitOption = 500,
    as_json: AsJson = False,
) -> None:
    """List the users who may do something to an entity.

    Example: hansard policies who-can read experiment/first
    """
    with connected() as client:
        found = list(islice(client.policies.who_can(action, entity), limit))
    if as_json:
        print_json(found)
    else:
        for id_ in found:
            say(id_)


def what_if(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A policy in YAML; - for stdin.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="For whom; you by default.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="With this attribute; the others stay."),
    ] = None,
    kind: Annotated[str, typer.Option(help="Of what: run, model, project ...")] = "run",
    action: Action = "read",
    as_json: AsJson = False,
) -> None:
    """Say what somebody would gain and lose by a policy, or by other attributes, before it is so.

    Example: hansard policies what-if --user user-... --set auditor=true --kind model
    """
    if file is None and not set_:
        raise typer.BadParameter("say what: a FILE, --set KEY=VALUE, or both")
    text = None if file is None else read_text(file)
    with connected() as client:
        suppose = _supposition(client, user, set_) if set_ else None
        found = client.policies.what_if(
            text, suppose=suppose, subject=user, kind=kind, action=action
        )
    if as_json:
        print_json(document(found))
    else:
        _say_rows("gained", kind, found.gained)
        _say_rows("lost", kind, found.lost)


def _supposition(client: "Client", user: str | None, assignments: list[str]) -> "Supposition":
    from hansard.client import Supposition  # noqa: PLC0415 - `hansard --help` needs no httpx

    wanted = parse_attributes(assignments)
    found = client.me() if user in (None, "me") else client.users.get(str(user))
    return Supposition(attributes={**(found.attributes or {}), **wanted})


def _say_explanation(found: "Explanation") -> None:
    say(f"{'permitted' if found.permitted else 'denied'}: {found.because}")
    rows = [
        [
            f"{rule.policy}/{rule.rule}",
            rule.outcome,
            rule.says or rule.text,
            ", ".join(rule.unknown),
        ]
        for rule in found.rules
    ]
    show_table(("rule", "outcome", "says", "missing"), rows)


def _say_rows(what: str, kind: str, rows: "Rows") -> None:
    say(f"{what}: {rows.count} {kind}(s)")
    for id_ in rows.sample:
        say(f"  {id_}")
