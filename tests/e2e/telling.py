"""A step that is given secrets and tells them, and where to look whether anybody has kept them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from hansard import Client, Run
from tests.contract.served_platform import code_in
from tests.e2e.platform import Up

TELLER = """
import base64, os, sys, time

class Teller(hansard.Executor):
    def execute(self, token: hansard.Secret):
        text = token.reveal()
        print("as it is:", text, "in base64:", base64.b64encode(text.encode()).decode())
        print("shown:", token, "variable:", os.environ["HUB"])
        for piece in (text[:7], text[7:]):
            sys.stderr.write(piece)
            sys.stderr.flush()
            time.sleep(0.6)
        return {"length": len(text)}
"""


def ask(client: Client, folder: Path, secret: str) -> Run:
    """A run of the step, with a secret as its parameter and as a variable."""
    client.push(code_in(folder / "teller", "teller", TELLER))
    named = {"secret": secret}
    return client.run("teller", parameters={"token": named}, variables={"HUB": named})


def processes_that_tell(value: str) -> Iterator[str]:
    """Where the value stands in a command line, or in an environment but for the step's own."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes()
            around = b"" if b"hansard.runner" in words else (process / "environ").read_bytes()
            if value.encode() in words + around:
                yield words.decode(errors="replace")


def files_that_hold(value: str, folder: Path) -> list[Path]:
    """Files of the platform with the value in them."""
    found = []
    for path in folder.rglob("*"):
        with suppress(OSError):  # a socket, or gone meanwhile
            if path.is_file() and not path.is_symlink() and value.encode() in path.read_bytes():
                found.append(path)
    return found


def rows_that_hold(value: str, up: Up) -> list[str]:
    """Rows of the database with the value in them, from all tables that are not its own."""
    known = json.loads((up.folder / "server.json").read_text())
    with psycopg.connect(known["HANSARD_POSTGRES_URL"]) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT LIKE 'pg\\_%' "
            "AND schemaname <> 'information_schema'"
        ).fetchall()
        assert ("read", "secret") in tables
        found = []
        for table in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*table))
            found += [text for (text,) in connection.execute(query) if value in text]
    return found
