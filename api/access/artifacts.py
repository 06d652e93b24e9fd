"""Who may read the bytes of an artifact: whoever may see what they belong to, by the record.

Knowing a name opens nothing: an object is there for a caller as far as an artifact that the caller
may read holds it. Source: Halevi et al., Proofs of ownership in remote storage (CCS 2011).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from api.access.guard import missing
from api.access.reads import ReadRecorder
from api.authentication import Subject
from api.services import Services
from domain.aggregate import Aggregate, Context
from domain.artifact import Artifact
from domain.errors import NotFound
from domain.run import Run
from domain.text import kind_of
from domain.version import Version
from infra.event_store import Session
from policies.access import Access, Listing
from projections.access.facts import facts_of
from projections.artifacts import artifacts_of, own_artifacts

MAX_HINTS = 16
_SAMPLE = 200
_TRIED = 32

_Look = Callable[[Listing, Listing, set[bytes]], list[str]]


class ArtifactReader:
    """What one caller may read, at one moment."""

    def __init__(self, services: Services, caller: Subject, context: Context) -> None:
        self._services = services
        self._caller = caller
        self._context = context

    async def artifact(self, id_: str) -> Artifact:
        """An artifact that may be read, to be read; recorded where it must be. Raises NotFound."""
        found = await self._readable(id_)
        await self._record(found)
        return found

    async def _record(self, artifact: Artifact) -> None:
        """A step reads what somebody may use, and that is decided when it is asked for."""
        if self._caller.run is not None:
            return
        holder = artifact.attached_to or artifact.run
        if holder is None:
            return
        access = await self._access()
        services = self._services
        recorder = ReadRecorder(services.store, services.denials.reads, access, self._context)
        if await recorder.record_all(kind_of(holder), [holder]):
            raise missing(artifact.id)

    async def _readable(self, id_: str) -> Artifact:
        """An artifact that may be read. Raises NotFound."""
        if kind_of(id_) != "artifact":
            raise missing(id_)
        inputs = None if self._caller.run is None else await self._inputs(self._caller.run)
        access = None if self._caller.run is not None else await self._access()

        async def command(session: Session) -> Artifact | None:
            found = await session.find(Artifact, id_, repeats=False)
            if found is None or found.deleted:
                return None
            if inputs is not None:
                own = found.run == self._caller.run
                return found if own or (id_ in inputs and not found.quarantined) else None
            assert access is not None
            return found if await self._shown(session, access, found) else None

        artifact = await self._services.store.run(self._context, command)
        if artifact is None:
            raise missing(id_)
        return artifact

    async def reachable(self, names: Iterable[bytes], hints: Sequence[str] = ()) -> set[bytes]:
        """Those that an artifact holds which the caller may read; hints are looked at first."""
        rest, found = set(names), set[bytes]()
        async for id_ in self._candidates(rest, hints):
            try:
                artifact = await self._readable(id_)
            except NotFound:
                continue
            root = bytes.fromhex(artifact.root)
            held = await asyncio.to_thread(self._services.artifacts.held, root, rest)
            if held:
                await self._record(artifact)
            found |= held
            rest -= held
            if not rest:
                break
        return found

    async def _candidates(self, rest: set[bytes], hints: Sequence[str]) -> AsyncIterator[str]:
        """Artifacts that may hold some of the rest; what is tried shrinks it meanwhile."""
        tried: set[str] = set()
        if self._caller.run is not None:
            for id_ in await self._inputs(self._caller.run):
                yield id_
            return
        for id_ in hints[:MAX_HINTS]:
            if id_ not in tried and rest:
                tried.add(id_)
                yield id_
        for look in (self._own, self._sampled):
            for id_ in await self._looked_up(look, rest):
                if id_ not in tried and rest:
                    tried.add(id_)
                    yield id_

    async def _looked_up(self, look: _Look, rest: set[bytes]) -> list[str]:
        """Artifacts that the caller seems to see; each is decided on later."""
        if not rest:
            return []
        access = await self._access()
        listings = access.listing("version"), access.listing("run")
        return await asyncio.to_thread(look, *listings, rest)

    def _own(self, versions: Listing, _: Listing, rest: set[bytes]) -> list[str]:
        with self._services.pool.connection() as connection:
            return own_artifacts(connection, versions, MAX_HINTS)

    def _sampled(self, versions: Listing, runs: Listing, rest: set[bytes]) -> list[str]:
        roots = self._services.artifacts.roots_above(list(rest)[:_TRIED], _SAMPLE)
        with self._services.pool.connection() as connection:
            return artifacts_of(connection, versions, runs, roots, _TRIED)

    async def _access(self) -> Access:
        return await self._services.access(self._caller, self._context.time)

    async def _shown(self, session: Session, access: Access, artifact: Artifact) -> bool:
        """Whether what the artifact belongs to may be seen with its content."""
        if artifact.quarantined and not await self._may_unquarantine(session, access, artifact):
            return False
        if artifact.attached_to is not None:
            holder: Aggregate = await session.load(Version, artifact.attached_to, repeats=False)
            return await _sees(session, access, holder, "content")
        if artifact.run is not None:
            holder = await session.load(Run, artifact.run, repeats=False)
            return await _sees(session, access, holder, "outputs")
        return artifact.created_by == self._caller.id

    async def _may_unquarantine(self, session: Session, access: Access, artifact: Artifact) -> bool:
        if artifact.attached_to is None:
            return artifact.created_by == self._caller.id
        version = await session.load(Version, artifact.attached_to, repeats=False)
        facts = await facts_of(session, version)
        return access.ruling("version", "quarantine", facts).permitted

    async def _inputs(self, run_id: str) -> list[str]:
        """The artifacts that a run reads, as long as who asked for it may use them."""

        async def command(session: Session) -> list[str]:
            run = await session.load(Run, run_id, repeats=False)
            asker = await self._services.authenticator.user(run.created_by, self._context)
            if asker is None or not asker.values["active"]:
                return []
            access = await self._services.access(asker, self._context.time)
            found = []
            versions = [*(s["version"] for s in run.slots.values()), *run.datasets.values()]
            for id_ in dict.fromkeys(versions):
                version = await session.load(Version, id_, repeats=False)
                facts = await facts_of(session, version)
                if version.content and access.ruling("version", "use", facts).permitted:
                    found.append(str(version.content["artifact"]))
            return found

        return await self._services.store.run(self._context, command)


async def _sees(session: Session, access: Access, holder: Aggregate, field: str) -> bool:
    permit = access.permit(kind_of(holder.id), await facts_of(session, holder))
    return permit is not None and field not in permit.masked
