"""The artifact store of a process: where packs lie, and the index of what is in them."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from psycopg_pool import ConnectionPool

from hansard.formats.codec import Buffer
from hansard.formats.objects import File
from hansard.formats.packs import Frame
from infra.artifacts import descent, index, reading
from infra.artifacts.closure import Checked, ClosureCheck, Reachable, check_files, facts_of
from infra.artifacts.connections import COMMIT_LOCK, index_pool
from infra.artifacts.descent import Accepted
from infra.artifacts.formats import Refused, check_digests, examine, format_of_all
from infra.artifacts.index import Names, Place
from infra.artifacts.inspection import first_look
from infra.artifacts.receiving import Arrival
from infra.artifacts.sharing import exclusive_bytes
from infra.artifacts.storage import Storage
from infra.database import Connection

_REMEMBERED_NAMES = 500_000
_PART_BYTES = 8 << 20
_FEW_LEAVES = 8
_MOST_REMEMBERED = 50_000  # names of one root
_EXAMINATION_S = 60.0


class ArtifactStore:
    """All methods block: an event loop calls them in threads."""

    def __init__(self, storage: Storage, postgres_url: str) -> None:
        self.storage = storage
        self.pool: ConnectionPool[Connection] = index_pool(postgres_url)
        self._closures = Closures()

    def close(self) -> None:
        """Close the connections."""
        self.pool.close()

    def open_upload(self, upload: str, principal: str) -> bool:
        """Begin an upload or go on with it; False if it is somebody else's."""
        with self.pool.connection() as connection:
            return index.open_upload(connection, upload, principal)

    def receive(self, upload: str, body: Buffer) -> int:
        """Keep the frames of a request; answers the bytes added. Raises ObjectError."""
        arrival = Arrival(body, first_look)
        with self.pool.connection() as connection:
            return arrival.store(self.storage, connection, upload)

    def split(self, upload: str, names: Names) -> tuple[set[bytes], set[bytes]]:
        """Of these, those that the upload's owner sent, and others that are there."""
        with self.pool.connection() as connection:
            there = index.present(connection, names)
            there -= index.unsound(connection, there)  # what lies below must be sent again
            own = index.allowed(connection, upload, there)
            index.protect(connection, upload, own)
        return own, there - own

    def protect(self, upload: str, names: Names) -> None:
        """Keep what an upload's owner may read elsewhere until the upload is over."""
        with self.pool.connection() as connection:
            index.protect(connection, upload, names)

    def check(self, upload: str, root: bytes, reachable: Reachable) -> Checked:
        """What an upload is about to commit. Raises Incomplete, ObjectError."""
        with self.pool.connection() as connection:
            return ClosureCheck(self.storage, connection, upload, reachable).check(root)

    def examine(self, checked: Checked) -> tuple[str, list[Refused]]:
        """The format of what is about to be committed, and files that are not accepted.

        Raises NotYetExamined when there is more to look into than one request should take; what
        was accepted is remembered, so that the next one goes on. Raises ObjectError for what can
        never be committed.
        """
        formats = {each for leaf in checked.accepted.values() for each in leaf.formats}
        deadline = time.monotonic() + _EXAMINATION_S
        new: dict[bytes, Accepted] = {}
        for name in checked.new:  # one at a time: what decodes to much was sent as little
            with self.pool.connection() as connection:
                files = self._files_of(connection, name)
                found, refused = examine(self.storage, connection, files, deadline)
                if refused:
                    return "", refused
                new[name] = facts_of(files, found)
                descent.accept_leaves(connection, [(name, new[name])])
            formats.update(found)
        checked.require_whole(new)
        return format_of_all(formats), []

    def check_unseen(self, checked: Checked) -> None:
        """Check what is about to be committed without a look at what it is. Raises ObjectError."""
        new: dict[bytes, Accepted] = {}
        for name in checked.new:
            with self.pool.connection() as connection:
                files = self._files_of(connection, name)
                check_digests(self.storage, connection, files)
            new[name] = facts_of(files)
        checked.require_whole(new)

    def _files_of(self, connection: Connection, leaf: bytes) -> tuple[File, ...]:
        files = reading.leaf_files(self.storage, connection, leaf)
        check_files(files)
        return files

    def pieces(self, file: File, offset: int, length: int) -> Iterator[bytes]:
        """A stretch of a file, decoded. Raises ObjectsMissing.

        No connection is kept from one part to the next: whoever takes them may be slow.
        """
        end = min(file.size, offset + length)
        for at in range(offset, end, _PART_BYTES):
            with self.pool.connection() as connection:
                reader = reading.FileReader(self.storage, connection, file)
                part = reader.read(at, min(_PART_BYTES, end - at))
            yield part

    def plan(self, names: Iterable[bytes]) -> list[Place]:
        """Where objects lie, in the order to read them. Raises ObjectsMissing."""
        with self.pool.connection() as connection:
            return reading.plan(connection, names)

    def wire(self, planned: list[Place]) -> Iterator[bytes]:
        """Frames as they are sent. Raises ObjectsMissing if they were moved since."""
        return reading.read_wire(self.storage, planned)

    def layout(self, root: bytes) -> list[Frame]:
        """How an artifact is made of pieces: its root, leaves and trees. Raises ObjectsMissing."""
        with self.pool.connection() as connection:
            return reading.layout(self.storage, connection, root)

    def files(self, root: bytes) -> list[File]:
        """The files of an artifact, sorted by path. Raises ObjectsMissing."""
        with self.pool.connection() as connection:
            return list(reading.files(self.storage, connection, root))

    def held(self, root: bytes, names: set[bytes]) -> set[bytes]:
        """Those of the names that a root reaches; what small roots reach is remembered."""
        known = self._closures.get(root)
        if known is not None:
            return names & known
        with self.pool.connection() as connection:
            if descent.leaf_count(connection, root) > _FEW_LEAVES:
                return descent.held(connection, root, names)
            known = index.closure(connection, root, _MOST_REMEMBERED)
            if known is None:
                return descent.held(connection, root, names)
        self._closures.put(root, known)
        return names & known

    @contextmanager
    def committing(self) -> Iterator[None]:
        """While a commit is on its way from its check to its event, nothing is condemned."""
        with self.pool.connection() as connection:
            connection.execute("SELECT pg_advisory_lock_shared(%s)", (COMMIT_LOCK,))
            try:
                yield
            finally:
                connection.execute("SELECT pg_advisory_unlock_shared(%s)", (COMMIT_LOCK,))

    def roots_above(self, names: Names, most: int) -> list[bytes]:
        """Some roots that reach these names."""
        with self.pool.connection() as connection:
            return index.roots_above(connection, names, most)

    def exclusive_bytes(self, root: bytes) -> int:
        """Stored bytes that deleting the artifact of this root would free."""
        with self.pool.connection() as connection:
            return exclusive_bytes(connection, root)


class Closures:
    """Remembers what roots reach, up to a number of names."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[bytes, frozenset[bytes]] = OrderedDict()
        self._names = 0

    def get(self, root: bytes) -> frozenset[bytes] | None:
        """The names, if they are remembered."""
        with self._lock:
            if root in self._known:
                self._known.move_to_end(root)
            return self._known.get(root)

    def put(self, root: bytes, names: frozenset[bytes]) -> None:
        """Remember them."""
        with self._lock:
            if len(names) > _REMEMBERED_NAMES or root in self._known:
                return
            self._known[root] = names
            self._names += len(names)
            while self._names > _REMEMBERED_NAMES:
                self._names -= len(self._known.popitem(last=False)[1])
