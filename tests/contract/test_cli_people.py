"""The command line on people, sharing and filtered lists, as users start it."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.command_line import Shell, logged_in
from tests.contract.served_platform import a_model, a_name, an_executor

PASSWORD = "a long enough secret"


async def a_user(shell: Shell, *options: str) -> Any:
    """A new user, as the administrator is told of them."""
    return await shell.json("users", "create", a_name(), *options)


async def another_shell(shell: Shell, user: str) -> Shell:
    """A shell of another user."""
    issued = await shell.json("tokens", "issue", "--user", user, "--label", "test")
    return await logged_in(shell.address, a_home(shell, user), issued["token"])


def a_home(shell: Shell, name: str) -> Path:
    """A home folder of another user."""
    folder = shell.home / name
    folder.mkdir()
    return folder


async def test_what_is_shared_with_a_group_is_seen_by_its_members(shell: Shell) -> None:
    name, group = a_name(), a_name()
    eve = await a_user(shell)
    hers = await another_shell(shell, eve["id"])
    await shell.ok("experiments", "create", name)
    await shell.ok("groups", "create", group)
    assert (await hers("experiments", "show", name)).code == 1
    await shell.ok("groups", "add", group, eve["id"])
    await shell.ok("share", f"experiment/{name}", "--group", group)
    assert (await hers.json("experiments", "show", name))["visibility"] == "private"
    shared = await shell.json("share", f"experiment/{name}", "--project", "--user", eve["id"])
    assert (shared["visibility"], len(shared["groups"]), shared["users"]) == (
        *("project", 1),
        [eve["id"]],
    )
    alone = await shell.json("share", f"experiment/{name}", "--user", eve["id"], "--replace")
    assert (alone["groups"], alone["users"]) == ([], [eve["id"]])
    nobody = await shell.json("share", f"experiment/{name}", "--with-nobody")
    assert (nobody["visibility"], nobody["groups"], nobody["users"]) == ("private", [], [])
    refused = await hers("experiments", "show", name)
    assert refused.err.splitlines()[-1] == f"error: there is no experiment `{name}`"
    await shell.ok("groups", "remove", group, eve["id"])
    assert await shell.json("groups", "members", group) == []


async def test_an_embargo_is_set_and_lifted(shell: Shell) -> None:
    name = a_name()
    await shell.ok("experiments", "create", name)
    held = await shell.json("embargo", f"experiment/{name}", "--until", "2999-12-01T12:00:00Z")
    assert held["embargo_until"] == "2999-12-01T12:00:00Z"
    lifted = await shell.json("embargo", f"experiment/{name}", "--lift")
    assert lifted["embargo_until"] is None


async def test_what_cannot_be_shared_says_so(shell: Shell) -> None:
    for arguments, code, said in (
        (("share", "experiment/never was", "--public"), 1, "there is no experiment `never was`"),
        (("share", "digits-net", "--public"), 1, "neither an id nor KIND/NAME"),
        (("share", f"run-{'0' * 8}-0000-7000-8000-{'0' * 12}", "--public"), 1, "their experiment"),
        (("share", "project/default"), 2, "say with whom"),
        (("share", "project/default", "--public", "--private"), 2, "exclude each other"),
        (("embargo", "project/default", "--until", "soon"), 2, "is no time"),
        (("embargo", "project/default"), 2, "either --until or --lift"),
    ):
        ended = await shell(*arguments)
        assert (ended.code, ended.out) == (code, ""), arguments
        assert said in " ".join(ended.err.split())


async def test_users_have_attributes_and_roles(shell: Shell) -> None:
    project = a_name()
    user = await a_user(shell, "--set", "max_gpus=4", "--mail", "ada@example.org")
    assert (user["attributes"], user["mail"]) == ({"max_gpus": 4}, "ada@example.org")
    changed = await shell.json("users", "set", user["id"], "team=blue", "--unset", "max_gpus")
    assert changed["attributes"] == {"team": "blue"}
    await shell.ok("projects", "create", project)
    granted = await shell.json("users", "grant", user["id"], project, "contributor")
    assert list(granted["roles"].values()) == ["contributor"]
    members = await shell.json("projects", "members", project)
    assert {(each["kind"], each["id"], each["role"]) for each in members} >= {
        ("user", user["id"], "contributor")
    }
    assert (await shell.json("users", "revoke", user["id"], project))["roles"] == {}
    assert not (await shell.json("users", "disable", user["id"]))["enabled"]
    assert (await shell.json("users", "enable", user["id"]))["enabled"]
    assert user["id"] in (await shell.ok("users", "ls", "--filter", "not admin")).out
    assert (await shell.json("users", "show"))["admin"] is True


async def test_a_password_opens_a_session_that_logout_closes(shell: Shell) -> None:
    login = a_name()
    user = await a_user(shell, "--login", login)
    await shell.ok("users", "password", user["id"], stdin=f"{PASSWORD}\n")
    home = a_home(shell, "hers")
    hers = Shell(home, shell.address)
    url = shell.address.url
    wrong = await hers("login", url, "--login", login, stdin="not the password\n")
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err.splitlines()[-1] == "error: no enabled user has this login and password"
    await hers.ok("login", url, "--login", login, HANSARD_PASSWORD=PASSWORD)
    assert (await hers.json("users", "show"))["id"] == user["id"]
    await hers.ok("users", "password", stdin=f"{PASSWORD} too\n{PASSWORD}\n")
    saved = home / ".config" / "hansard" / "credentials.json"
    before = saved.read_text()
    assert PASSWORD not in before
    assert "logged out" in (await hers.ok("logout")).out
    saved.write_text(before)
    assert "run `hansard login URL` again" in (await hers("users", "show")).err
    await hers.ok("logout")
    nobody = await hers("logout")
    assert (nobody.code, "nobody is logged in" in nobody.err) == (1, True)


async def test_logout_says_that_a_token_stays_valid(shell: Shell) -> None:
    assert "stays valid" in (await shell.ok("logout")).out
    assert not (shell.home / ".config" / "hansard" / "credentials.json").exists()


async def test_an_invitation_is_handed_on_accepted_and_joined(shell: Shell) -> None:
    project = a_name()
    await shell.ok("projects", "create", project)
    invited = await shell.ok("invite", project, "viewer", "--uses", "2", "--days", "3")
    secret = invited.out.strip()
    assert secret.startswith("hsi_")
    assert secret not in invited.err
    hers = await another_shell(shell, (await a_user(shell))["id"])
    accepted = await hers.json("accept", stdin=f"{secret}\n")
    assert list(accepted["roles"].values()) == ["viewer"]
    again = await hers("accept", stdin=f"{secret}\n")
    assert (again.code, again.err.splitlines()[-1]) == (
        1,
        "error: there is no open invitation with this secret",
    )
    assert (await hers("accept", secret)).code == 2
    new = Shell(a_home(shell, "new"), shell.address)
    options = ("--name", "Newcomer", "--login", a_name())
    await new.ok("join", shell.address.url, *options, stdin=f"{secret}\n{PASSWORD}\n")
    assert (await new.json("users", "show"))["name"] == "Newcomer"
    assert (await new.json("projects", "show", project))["name"] == project
    (kept,) = await shell.json("invitations", "ls", "--filter", f"project == '{_id(accepted)}'")
    assert (kept["uses"], len(kept["accepted"])) == (2, 2)
    assert (await shell.json("invitations", "revoke", kept["id"]))["revoked"]


def _id(user: Any) -> str:
    (project,) = user["roles"]
    return str(project)


async def test_a_token_is_printed_alone_and_revoked(shell: Shell) -> None:
    issued = await shell.ok("tokens", "issue", "--scope", "read", "--days", "1")
    reader = await logged_in(shell.address, a_home(shell, "reader"), issued.out.strip())
    refused = await reader("experiments", "create", a_name())
    assert refused.code == 1
    assert "scope `write`" in refused.err
    id_ = issued.err.split(":")[0]
    listed = await shell.json("tokens", "ls", "--filter", "not revoked")
    assert id_ in [token["id"] for token in listed]
    assert (await shell.json("tokens", "revoke", id_))["revoked"]


@pytest.fixture
async def runs(shell: Shell, tmp_path: Path) -> str:
    """Two runs that wait, in an experiment of their own; its name."""
    name = a_name()
    await shell.ok("push", str(a_model(tmp_path / "m", name)))
    await shell.ok("push", str(an_executor(tmp_path / "e", name)))
    for epochs in ("1", "2"):
        asked = ("run", name, "-s", f"model={name}", "-p", f"epochs={epochs}")
        await shell.ok(*asked, "--experiment", name, "--tag", f"team=t{epochs}")
    return name


async def test_runs_are_filtered_sorted_counted_and_shown_in_columns(
    shell: Shell, runs: str
) -> None:
    within = ("--experiment", runs)
    found = await shell.json("runs", "ls", *within, "--sort", "-params.epochs")
    assert [run["parameters"]["epochs"] for run in found] == [2, 1]
    one = await shell.json("runs", "ls", *within, "--filter", "tags.team == 't1'")
    assert [run["tags"] for run in one] == [{"team": "t1"}]
    count = await shell.ok("runs", "ls", *within, "--filter", "params.epochs > 1", "--count")
    assert count.out == "1\n"
    columns = ("--column", "params.epochs", "--column", "metrics.loss.min", "--column", "tags.team")
    table = (await shell.ok("runs", "ls", *within, *columns, "--sort", "params.epochs")).out
    rows = [line.split() for line in table.splitlines()]
    assert rows[0] == ["id", "params.epochs", "metrics.loss.min", "tags.team"]
    assert [row[1:] for row in rows[1:]] == [["1", "-", "t1"], ["2", "-", "t2"]]
    unknown = await shell("runs", "ls", *within, "--column", "colour")
    assert (unknown.code, "no column `colour`" in unknown.err) == (1, True)


async def test_an_invalid_filter_points_at_what_is_wrong(shell: Shell) -> None:
    ended = await shell("models", "ls", "--filter", "nme == 'x'")
    assert (ended.code, ended.out) == (1, "")
    *_, message, shown, carets = ended.err.rstrip().splitlines()
    assert message.startswith("error: `nme` is unknown; did you mean `name`?")
    assert shown.strip() == "nme == 'x'"
    assert carets == "  ^^^"


async def test_what_happened_is_told_followed_by_its_changes_and_exported(shell: Shell) -> None:
    name, file = a_name(), shell.home / "events.csv"
    made = await shell.json("experiments", "create", name)
    await shell.ok("share", f"experiment/{name}", "--public")
    told = (await shell.ok("history", f"experiment/{name}")).out.splitlines()
    assert told[0].endswith(f"created {made['id']}")
    assert "    visibility: private -> public" in told
    asked = ("audit", "log", "--entity", f"experiment/{name}", "--actor", "me", "--since", "1h")
    events = await shell.json(*asked)
    assert [e["action"] for e in events] == ["experiment.shared", "experiment.created"]
    await shell.ok(*asked, "--export", "csv", "-o", str(file), "--limit", "1")
    assert len(file.read_text().splitlines()) == 2
    assert (await shell("audit", "log", "--export", "parquet")).code == 2
