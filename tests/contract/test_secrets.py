"""Secrets through the SDK, the command line and local runs: set, listed, removed, never shown."""

import asyncio
import json
from pathlib import Path

import pytest

from hansard import Secret
from hansard.client import AsyncClient, Client
from hansard.client_errors import Invalid, NotFound
from tests.contract.command_line import Shell
from tests.contract.served_platform import Address, a_name, code_in

VALUE = "hunter2-of-a-contract"


async def test_the_client_sets_rotates_shares_and_deletes(address: Address) -> None:
    def story() -> None:
        with Client(address.url, address.token) as client:
            name = a_name()
            made = client.secrets.set(name, VALUE, description="hub")
            assert (made.name, made.number, made.description) == (name, 1, "hub")
            again = client.secrets.set(name, Secret("another-" + VALUE))
            assert (again.id, again.number, again.description) == (made.id, 2, "hub")
            assert VALUE not in repr([made, again, *client.secrets.list()])
            assert client.secrets.share(name, visibility="project").visibility == "project"
            assert client.secrets.get(name).id == client.resolve(f"secret/{name}") == made.id
            with pytest.raises(Invalid) as caught:
                client.secrets.set(name, "\0hunter2")
            assert "hunter2" not in f"{caught.value}{caught.value.members}"
            assert client.secrets.delete(name).deleted
            with pytest.raises(NotFound):
                client.secrets.delete(name)

    await asyncio.to_thread(story)
    async with AsyncClient(address.url, address.token) as client:
        made = await client.secrets.set(name := a_name(), VALUE)
        found = [each.id async for each in client.secrets.list(filter=f"name == '{name}'")]
        assert found == [made.id]
        assert (await client.secrets.delete(made.id)).deleted


async def test_the_command_line_takes_values_from_anywhere_but_its_arguments(shell: Shell) -> None:
    name = a_name()
    made = await shell.json("secrets", "set", name, "--description", "hub", stdin=f"{VALUE}\n")
    assert (made["number"], made["description"]) == (1, "hub")
    shown = await shell.ok("secrets", "set", name, "--from-env", "HUB", HUB=VALUE)
    (shell.home / "value").write_text(VALUE)
    other = await shell.json("secrets", "set", name, "--from-file", "value")
    assert (other["id"], other["number"], other["description"]) == (made["id"], 3, "hub")
    (listed,) = await shell.json("secrets", "ls", "--filter", f"name == '{name}'")
    assert listed["id"] == made["id"]
    assert "hunter2" not in f"{made}{shown}{other}{listed}"
    assert (await shell("secrets", "set", name, VALUE)).code == 2
    missing = await shell("secrets", "set", name, "--from-env", "NOTHING")
    assert (missing.code, missing.err) == (
        *(1,),
        "error: there is no environment variable `NOTHING`\n",
    )
    short = await shell("secrets", "set", name, stdin="abc")
    assert (short.code, short.err) == (1, "error: a value has at least 4 characters\n")
    shared = await shell.json("share", f"secret/{name}", "--project")
    assert shared["visibility"] == "project"
    assert (await shell.json("secrets", "rm", name))["deleted"]
    assert (await shell("secrets", "rm", name)).code == 1


JOB = """
import os, sys

class Job(hansard.Executor):
    def execute(self, token: hansard.Secret, keys: list[hansard.Secret]):
        inherited = [name for name in os.environ if name.startswith("HANSARD_SECRET")]
        return {
            "shown": str(token), "lengths": [len(each.reveal()) for each in (token, *keys)],
            "hub": len(os.environ["HUB"]), "mode": os.environ["MODE"],
            "inherited": inherited, "stdin": sys.stdin.read(),
        }
"""


async def test_a_local_run_takes_secrets_from_variables_and_writes_none(tmp_path: Path) -> None:
    code_in(tmp_path / "job", "the job", JOB)
    offline = Shell(tmp_path, Address("", "", ""))
    words = (
        *("run", "--local", "job", "--json", "--env", "MODE=small", "--secret-env", "HUB=hub"),
        *("-p", 'token={"secret": "my hub"}', "-p", 'keys=[{"secret": "hub"}]'),
    )
    values = {"HANSARD_SECRET_MY_HUB": VALUE, "HANSARD_SECRET_HUB": "hunter2"}
    ended = await offline.ok(*words, **values)
    results = json.loads(ended.out.splitlines()[-1])["results"]
    assert results == {
        "shown": "*" * 10,
        "lengths": [len(VALUE), 7],
        "hub": 7,
        "mode": "small",
        "inherited": [],
        "stdin": "",
    }
    files = [path for path in (tmp_path / "hansard-runs").rglob("*") if path.is_file()]
    assert not [path for path in files if b"hunter2" in path.read_bytes()]
    missing = await offline(*words, HANSARD_SECRET_HUB="hunter2")
    assert missing.code == 1
    assert missing.err.splitlines()[-1] == (
        "error: secret `my hub` has no value here: set HANSARD_SECRET_MY_HUB"
    )
