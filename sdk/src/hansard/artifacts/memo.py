"""Remembers what files were cut into, as long as nothing of them has changed."""

import os
import sqlite3
import struct
import time
from pathlib import Path

_SETTLED_NS = 100_000_000
"""A file changed this lately may change again within the same tick of the file system's clock."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS content (
    folder TEXT NOT NULL, name TEXT NOT NULL, facts BLOB NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID;
"""

Facts = bytes
_FACTS = struct.Struct("<QqqQQ")


def facts_of(found: os.stat_result) -> Facts:
    """What changes when a file's content does."""
    return _FACTS.pack(
        found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev
    )


class Memo:
    """A small database in the cache folder. Lost or damaged, files are only read again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._database = self._open()

    def known(self, folder: Path) -> dict[str, tuple[Facts, bytes]]:
        """Facts and record of what is below a folder, by the path in it."""
        rows = self._database.execute(
            "SELECT name, facts, record FROM content WHERE folder = ?", (str(folder),)
        )
        return {name: (facts, record) for name, facts, record in rows}

    def remember(self, folder: Path, files: list[tuple[str, Facts, int, bytes]]) -> None:
        """Remember the records of files that did not change while or just before they were read.

        Each with its facts and the time of its last change in nanoseconds; for files that share a
        piece there is one entry, under the path of the first.
        """
        now = time.time_ns()
        rows = [
            (str(folder), name, facts, record)
            for name, facts, changed, record in files
            if now - changed > _SETTLED_NS
        ]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._prepared()
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=10)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(_SCHEMA)
        return database
