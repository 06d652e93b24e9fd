"""An artifact store of its own: a database, a folder, models that share a backbone, crashes."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg

from hansard.formats.codec import Codec
from hansard.formats.objects import (
    Cut,
    File,
    Kind,
    Ref,
    Root,
    encode_file,
    encode_leaf,
    encode_root,
    encode_tree,
    name_of,
)
from hansard.formats.packs import Frame
from infra.artifacts.collection import Collected, Limits, collect
from infra.artifacts.local_storage import LocalStorage
from infra.artifacts.reading import read_objects
from infra.artifacts.receiving import pack_key
from infra.artifacts.roots import Roots
from infra.artifacts.storage import Storage
from infra.artifacts.store import ArtifactStore
from infra.database import Connection, connect
from tests.integration.conftest import Servers

AT_ONCE = Limits(young_s=0, condemned_s=0, committed_s=0, retired_s=0)

Content = dict[bytes, Frame]


def noise(seed: object, size: int = 20_000) -> bytes:
    """Bytes that do not compress."""
    return random.Random(str(seed)).randbytes(size)


def frame(kind: Kind, raw: bytes) -> Frame:
    return Frame(name_of(kind, raw), kind, Codec.RAW, len(raw), raw)


def model(backbone: Sequence[bytes], head: bytes) -> tuple[bytes, Content]:
    """The root of one file that holds a tree of backbone pieces and one of the head's, and all."""
    found: Content = {}

    def add(kind: Kind, raw: bytes) -> bytes:
        made = frame(kind, raw)
        found[made.name] = made
        return made.name

    def tree(pieces: Sequence[bytes]) -> Ref:
        refs = [Ref(Kind.PIECE, add(Kind.PIECE, piece), len(piece)) for piece in pieces]
        return Ref(Kind.TREE, add(Kind.TREE, encode_tree(refs)), sum(map(len, pieces)))

    body = (tree(backbone), tree([head]))
    content = b"".join((*backbone, head))
    leaf = encode_leaf([encode_file(File("model.bin", len(content), Cut.TENSORS, body))])
    leaf_ref = Ref(Kind.LEAF, add(Kind.LEAF, leaf), len(leaf))
    return add(Kind.ROOT, encode_root(Root(len(content), 1, (leaf_ref,)))), found


@dataclass
class ArtifactLab:
    """A store, and the artifacts that its record would tell of."""

    store: ArtifactStore
    storage: Storage
    url: str
    folder: Path
    live: dict[bytes, Content] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    position: int = 0

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with self.store.pool.connection() as connection:
            yield connection

    def send(self, content: Content, upload: str | None = None) -> str:
        """Send what nobody has sent for this user, as one pack; answers the upload."""
        upload = upload or f"upload-{uuid4()}"
        assert self.store.open_upload(upload, "user-1")
        own, _ = self.store.split(upload, content)
        frames = [f for name, f in content.items() if name not in own]
        if frames:
            body = b"".join(bytes(part) for f in frames for part in (f.header, f.payload))
            self.store.receive(upload, body)
        return upload

    def commit(
        self, root: bytes, content: Content, upload: str, readable: frozenset[bytes] = frozenset()
    ) -> None:
        """What the API does: check, then record; `readable` elsewhere. Raises Incomplete."""
        assert self.store.open_upload(upload, "user-1")
        self.store.check(upload, root, lambda names: names & readable)
        self.position += 1
        self.live[root] = content

    def push(self, root: bytes, content: Content, rubbish: int = 0) -> None:
        """Send and commit; beside it, in the same pack, pieces that nothing refers to."""
        pieces = [frame(Kind.PIECE, noise((root, number))) for number in range(rubbish)]
        self.commit(root, content, self.send({**content, **{p.name: p for p in pieces}}))

    def delete(self, root: bytes) -> None:
        """Record that an artifact was deleted."""
        self.position += 1
        del self.live[root]
        self.gone.add(root)

    def roots(self) -> Roots:
        """What the record says."""
        return Roots(self.position, frozenset(self.live), frozenset(self.gone))

    def collect(self, limits: Limits = AT_ONCE, storage: Storage | None = None) -> Collected:
        """Collect garbage."""
        with self.connection() as connection:
            return collect(storage or self.storage, connection, self.roots, limits)

    def read(self, content: Content) -> None:
        """Read all of it back. Raises ObjectsMissing."""
        with self.connection() as connection:
            found = read_objects(self.storage, connection, content)
        assert {name: bytes(raw) for name, raw in found.items()} == {
            name: bytes(each.content()) for name, each in content.items()
        }

    def read_live(self) -> None:
        """Read everything that lives."""
        for content in self.live.values():
            self.read(content)

    def one(self, query: str, *values: object) -> tuple[object, ...]:
        """The one row of a query."""
        with self.connection() as connection:
            row = connection.execute(query, values).fetchone()
        assert row is not None
        return row

    def path_of(self, name: bytes) -> Path:
        """The file in which an object lies."""
        (pack,) = self.one("SELECT pack FROM object WHERE name = %s", name)
        return self.folder / pack_key(str(pack))

    def flip(self, name: bytes, offset: int = 0) -> None:
        """Flip a bit of an object's payload, or of the header before it."""
        (place,) = self.one("SELECT place FROM object WHERE name = %s", name)
        assert isinstance(place, int)
        with self.path_of(name).open("r+b") as file:
            file.seek(place + offset)
            byte = file.read(1)[0]
            file.seek(place + offset)
            file.write(bytes([byte ^ 1]))

    @property
    def stored(self) -> int:
        """Bytes of all packs in the storage."""
        return sum(size for _, size, _ in self.storage.keys("packs/"))


class Crash(BaseException):
    """What kill -9 is to a process."""


class Crashing(LocalStorage):
    """A folder whose process dies in one verb, before or after it was done."""

    def __init__(self, root: Path, verb: str, *, after: bool) -> None:
        super().__init__(root)
        self._verb, self._after = verb, after

    def put(self, key: str, parts: Sequence[bytes | bytearray | memoryview]) -> None:
        with self._crashing("put"):
            super().put(key, parts)

    def delete(self, key: str) -> None:
        with self._crashing("delete"):
            super().delete(key)

    @contextmanager
    def _crashing(self, verb: str) -> Iterator[None]:
        if verb == self._verb and not self._after:
            raise Crash
        yield
        if verb == self._verb:
            raise Crash


def own_database(servers: Servers) -> str:
    """The address of a new, empty database."""
    name = f"lab_{uuid4().hex}"
    with psycopg.connect(servers.postgres_superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER hansard")
    head, _, tail = servers.postgres.rpartition("/hansard")
    return f"{head}/{name}{tail}"


@contextmanager
def artifact_lab(servers: Servers, folder: Path) -> Iterator[ArtifactLab]:
    """A store on a database of its own."""
    url = own_database(servers)
    storage = LocalStorage(folder)
    store = ArtifactStore(storage, url)
    try:
        yield ArtifactLab(store, storage, url, folder)
    finally:
        store.close()


def make_read_model(lab: ArtifactLab) -> None:
    """The columns of the table of artifacts that the store looks at, filled as the record says."""
    with connect(lab.url, "public") as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS read")
        connection.execute("DROP TABLE IF EXISTS read.artifact")
        connection.execute("CREATE TABLE read.artifact (root text, deleted boolean, size bigint)")
        connection.execute("CREATE INDEX ON read.artifact (root)")
        with connection.cursor() as cursor:
            rows = [(root.hex(), False) for root in lab.live]
            rows += [(root.hex(), True) for root in lab.gone]
            cursor.executemany("INSERT INTO read.artifact VALUES (%s, %s, 1)", rows)
