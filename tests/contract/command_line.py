"""The command line as its users start it: a process, with a home folder of its own."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.served_platform import Address

COMMAND = (sys.executable, "-c", "from hansard.cli import main; main()")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Shell:
    """Starts commands with a home folder of their own."""

    home: Path
    address: Address

    async def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.home,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **environment},
        )
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def ok(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        """The same, for what must succeed."""
        ended = await self(*arguments, stdin=stdin, **environment)
        assert ended.code == 0, ended.err
        return ended

    async def json(self, *arguments: str, stdin: str = "") -> Any:
        """The document that a command prints."""
        return (await self.ok(*arguments, "--json", stdin=stdin)).document


async def logged_in(address: Address, home: Path, token: str) -> Shell:
    """A shell whose user has logged in with a token; the folder is there already."""
    shell = Shell(home, address)
    await shell.ok("login", address.url, stdin=f"{token}\n")
    return shell
