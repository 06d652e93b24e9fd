"""The command line on policies, as users start it."""

import asyncio
import os
import pty
from pathlib import Path
from typing import Any

import pytest

from tests.contract.command_line import COMMAND, Shell
from tests.contract.served_platform import a_name
from tests.contract.test_sdk_policies import a_policy, a_policy_name


def written(folder: Path, text: str) -> str:
    """The path of a file with a text."""
    file = folder / f"{len(list(folder.iterdir()))}.yaml"
    file.write_text(text)
    return str(file)


async def test_apply_puts_in_force_what_differs_and_then_has_nothing_to_do(shell: Shell) -> None:
    name = a_policy_name()
    file = written(shell.home, a_policy(name))
    refused = await shell("policies", "apply", file)
    assert (refused.code, refused.err) == (1, "error: nobody can be asked here: say --yes\n")
    applied = await shell.ok("policies", "apply", file, "--yes", "-m", "first")
    assert f"+policy: {name}" in applied.out
    assert f"{name}: proposal 1 is in force" in applied.out
    again = await shell.ok("policies", "apply", file, "--yes")
    assert again.out.startswith("nothing to do")
    assert await shell.json("policies", "apply", file, "--yes") == []
    remarked = written(shell.home, f"# a remark\n{a_policy(name)}")
    same = await shell.ok("policies", "apply", remarked, "--yes")
    assert "comments and layout only" in same.out
    assert (await shell.ok("policies", "show", name)).out == a_policy(name)
    history = await shell.json("policies", "history", name)
    assert [(step["what"], step["comment"]) for step in history[:2]] == [
        *(("created", None), ("proposed", "first")),
    ]
    assert name in (await shell.ok("policies", "ls")).out
    await shell.ok("policies", "retire", name, "-m", "tried")
    assert (await shell("policies", "show", name)).code == 1
    assert (await shell.ok("policies", "show", name, "--number", "1")).out == a_policy(name)


async def test_apply_asks_on_a_terminal(shell: Shell) -> None:
    name = a_policy_name()
    file = written(shell.home, a_policy(name))
    seen, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "policies", "apply", file),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={"PATH": os.environ["PATH"], "HOME": str(shell.home), "TERM": "xterm"},
    )
    os.close(terminal)
    shown = b""
    async with asyncio.timeout(30):
        while b"in force?" not in shown:
            shown += await asyncio.to_thread(os.read, seen, 1000)
        os.write(seen, b"n\n")
        assert await process.wait() == 0
    os.close(seen)
    policy = await shell.json("policies", "show", name)
    assert (policy["active"], len(policy["proposals"])) == (None, 1)


async def test_a_failing_test_is_printed_and_nothing_is_proposed(shell: Shell) -> None:
    name = a_policy_name()
    text = a_policy(name, expect="deny")
    ended = await shell("policies", "test", "-", stdin=text)
    assert ended.code == 1
    assert ended.out.startswith(f"{name}: failed: as wanted: expected deny, but rule `wanted`")
    applied = await shell("policies", "apply", written(shell.home, text), "--yes")
    assert (applied.code, "as wanted" in applied.out) == (1, True)
    assert (await shell("policies", "history", name)).code == 1
    assert (await shell.ok("policies", "test", "-", stdin=a_policy(name))).out == "all tests pass\n"


async def test_a_wrong_condition_is_shown_with_its_place(shell: Shell) -> None:
    ended = await shell("policies", "test", "-", stdin=a_policy(a_policy_name(), "r.sub.nme == 1"))
    assert (ended.code, ended.out) == (1, "")
    *_, shown, carets = ended.err.rstrip().splitlines()
    assert shown.strip() == "r.sub.nme == 1"
    assert carets.strip() == "^^^^^^^^^"


async def test_a_proposal_is_made_and_put_in_force_step_by_step(shell: Shell) -> None:
    name = a_policy_name()
    file = written(shell.home, a_policy(name))
    proposed = await shell.json("policies", "propose", file, "-m", "a try")
    assert proposed["number"] == 1
    own = await shell("policies", "approve", name, "1")
    assert (own.code, "somebody else" in own.err) == (1, True)
    told = await shell.ok("policies", "activate", name, "1")
    assert told.out == f"proposal 1 of {name} is in force\n"
    other = written(shell.home, a_policy(name, "r.sub.auditing"))
    difference = await shell.ok("policies", "diff", other)
    assert '+      when: "r.sub.auditing"' in difference.out
    document = await shell.json("policies", "diff", other)
    assert (document["policy"], document["kinds"]) == (name, {})


async def test_questions_are_asked_of_the_policies(shell: Shell) -> None:
    experiment = a_name()
    await shell.ok("experiments", "create", experiment)
    eve: Any = await shell.json("users", "create", a_name())
    entity = f"experiment/{experiment}"
    why = await shell.ok("policies", "explain", entity, "--user", eve["id"])
    assert why.out.startswith("denied: ")
    assert "reading/owner" in why.out
    assert (await shell.json("policies", "explain", entity, "--action", "share"))["permitted"]
    assert eve["id"] not in await shell.json("policies", "who-can", "read", entity)
    await shell.ok("share", entity, "--user", eve["id"])
    assert eve["id"] in (await shell.ok("policies", "who-can", "read", entity)).out
    other: Any = await shell.json("experiments", "create", a_name())
    options = ("--user", eve["id"], "--set", "admin=true", "--kind", "experiment")
    gained = await shell.json("policies", "what-if", *options)
    assert other["id"] in gained["gained"]["sample"] or gained["gained"]["count"] > 10
    assert gained["lost"]["count"] == 0
    text = a_policy(a_policy_name(), "not r.sub.admin")
    by_text = await shell.ok("policies", "what-if", "-", *options[:2], *options[4:], stdin=text)
    assert f"gained: {gained['gained']['count']} experiment(s)" in by_text.out
    assert "lost: 0 experiment(s)" in by_text.out
    assert (await shell("policies", "what-if", "--user", eve["id"])).code == 2


@pytest.mark.parametrize("kind", ["run", "subject"])
async def test_the_schema_of_a_kind_is_a_table(shell: Shell, kind: str) -> None:
    table = (await shell.ok("policies", "schema", kind)).out
    assert {"run": "experiment_owner", "subject": "manager_of"}[kind] in table
    overview = (await shell.ok("policies", "schema")).out
    assert kind in overview
    assert (await shell("policies", "schema", "spaceship")).code == 1


async def test_decisions_are_listed_and_verified(shell: Shell) -> None:
    made = await shell.json("experiments", "create", a_name())
    await shell.ok("share", made["id"], "--project")
    wanted = f"entity == '{made['id']}' and action == 'share'"
    decision, *_ = await shell.json("decisions", "ls", "--filter", wanted)
    assert (await shell.json("decisions", "show", decision["id"]))["detail"]
    verified = await shell.ok("decisions", "verify", decision["id"])
    assert verified.out == "permitted, then and now\n"
