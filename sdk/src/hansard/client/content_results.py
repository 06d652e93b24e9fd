"""What the client answers about bytes: files, what a deletion freed, differences, lineage."""

from datetime import datetime
from typing import Any

from pydantic import Field

from hansard.client.results import Result, Version


class StoredFile(Result):
    """A file of an artifact; `size` in bytes, `digest` in hex.

    The digest is the BLAKE3 of its content, or of the list of its pieces where there are several.
    """

    path: str
    size: int
    digest: str


class Pulled(Result):
    """What lies in a folder now."""

    version: Version
    folder: str
    files: tuple[StoredFile, ...]


class Deleted(Result):
    """A version whose bytes were given up, and how many the store regains."""

    id: str
    freed_bytes: int


class FileChange(Result):
    """A file that is not the same in both versions; None where it is not there."""

    path: str
    before: StoredFile | None = None
    after: StoredFile | None = None


class DatasetDiff(Result):
    """How two versions of a dataset differ. `tables` is about the files that differ only.

    It is None if there are no tables among them; `examples` shows cells.
    """

    before: str
    after: str
    added: tuple[StoredFile, ...]
    removed: tuple[StoredFile, ...]
    changed: tuple[FileChange, ...]
    unchanged: int
    tables: dict[str, Any] | None = None
    examples: dict[str, Any] | None = None


class LineageNode(Result):
    """A version or run; one that the caller may not see is `hidden`, without name or id."""

    id: str
    kind: str
    hidden: bool = False
    label: str | None = None
    of: str | None = None
    owner: str | None = None
    created_at: datetime | None = None
    status: str | None = None


class LineageEdge(Result):
    """Leads from what was `made` to what it was made `of`; `role` says which member tells so."""

    made: str = Field(alias="from")
    of: str = Field(alias="to")
    role: str | None = None


class Lineage(Result):
    """What something was made from and what was made from it; `truncated` where that is a lot."""

    start: str
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    truncated: bool = False
