"""The command line. It starts quickly: httpx and rich are loaded by the commands that use them."""

import sys
from importlib.metadata import entry_points, version
from typing import Annotated, NoReturn

import typer

from hansard.cli import (
    audit,
    basics,
    cache,
    compatibility,
    datasets,
    decisions,
    entities,
    groups,
    invitations,
    lineage,
    models,
    nodes,
    policies,
    policy_apply,
    policy_questions,
    pushing,
    queue,
    run,
    run_code,
    runs,
    secrets,
    sharing,
    showing,
    sync,
    tokens,
    users,
)
from hansard.cli.group import unite
from hansard.cli.output import tell
from hansard.client_errors import HansardError, Refused, Unauthenticated
from hansard.formats.problems import BundleError

COMMANDS = "hansard.commands"
"""Entry point group: each entry is a function that adds commands to the Typer app it is given."""

_INTERRUPTED = 130


def build_app(*, joined: bool = True) -> typer.Typer:
    """All commands; `joined` adds those of other distributions."""
    app = typer.Typer(
        name="hansard",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Hansard: the verbatim record of a machine-learning team.",
        callback=_options,
    )
    for command in (
        basics.login,
        basics.logout,
        basics.new,
        pushing.push,
        run.run,
        run_code.run_code,
        sync.sync,
    ):
        app.command()(command)
    app.add_typer(runs.runs, name="runs")
    app.command()(queue.queue)
    app.command()(queue.pools)
    _add_nouns(app)
    _add_people(app)
    _add_policies(app)
    if joined:
        _join(app)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"hansard {version('hansard')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options before any command."""


def _add_nouns(app: typer.Typer) -> None:
    for noun in ("executors", "loaders"):
        group = entities.group(noun, in_project=True, versioned=True)
        showing.add_show(group, noun)
        compatibility.add_difference(group, noun)
        if noun == "executors":
            compatibility.add_candidates(group)
        else:
            compatibility.add_executors(group, noun)
        app.add_typer(group, name=noun)
    app.add_typer(models.models(), name="models")
    app.add_typer(datasets.datasets(), name="datasets")
    experiments = entities.group("experiments", in_project=True, versioned=False)
    app.add_typer(experiments, name="experiments")
    projects = entities.group("projects", in_project=False, versioned=False)
    groups.add_project_members(projects)
    app.add_typer(projects, name="projects")
    app.add_typer(secrets.secrets, name="secrets")
    app.add_typer(cache.cache, name="cache")
    for command in (sharing.share, sharing.embargo, lineage.lineage):
        app.command()(command)


def _add_people(app: typer.Typer) -> None:
    app.add_typer(users.users, name="users")
    group = entities.group("groups", in_project=False, versioned=False)
    groups.add_membership(group)
    app.add_typer(group, name="groups")
    app.add_typer(tokens.tokens, name="tokens")
    app.add_typer(nodes.nodes, name="nodes")
    app.add_typer(invitations.invitations, name="invitations")
    for command in (invitations.invite, invitations.accept, invitations.join):
        app.command()(command)


def _add_policies(app: typer.Typer) -> None:
    group = policies.group()
    group.command()(policy_apply.apply)
    policy_questions.add_questions(group)
    app.add_typer(group, name="policies")
    app.add_typer(decisions.decisions, name="decisions")
    app.add_typer(audit.audit, name="audit")
    app.command()(audit.history)


def main() -> None:
    """Run the command line; every error is a clear line on stderr, and what it points at."""
    try:
        build_app()()
    except (HansardError, BundleError, OSError, TimeoutError) as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _join(app: typer.Typer) -> None:
    for entry in entry_points(group=COMMANDS):
        try:
            register = entry.load()
        except ImportError as error:  # the commands of this distribution must go on working
            tell(f"warning: the commands of `{entry.value}` cannot be loaded: {error}")
        else:
            register(app)
    unite(app)


def _fail(error: Exception) -> NoReturn:
    tell(f"error: {_sentence(error)}")
    sys.exit(1)


def _sentence(error: Exception) -> str:
    if isinstance(error, Unauthenticated) and error.code == "unauthenticated":
        return "the server does not accept the token: run `hansard login URL` again"
    if isinstance(error, Refused) and (reasons := error.members.get("reasons")):
        return f"{error} ({'; '.join(map(str, reasons))})"
    if isinstance(error, Refused) and (where := error.members.get("where")):
        return f"{where}: {error}"
    return str(error) or type(error).__name__
