"""Changes of versions: what is said of them, what their aliases mean, how long their bytes stay."""

import asyncio
from collections.abc import Callable, Mapping

from api.access.guard import Guard
from api.commands.entities import act
from api.services import Services
from domain.abstraction import Abstraction
from domain.aggregate import Aggregate, Context
from domain.artifact import Artifact
from domain.errors import Conflict
from domain.version import Version
from infra.event_store import AlreadyDone, Session
from infra.expectations import read_expectations


async def set_aliases(
    session: Session, guard: Guard, id_: str, aliases: Mapping[str, int | None]
) -> int:
    """Move aliases of an abstraction in one event. Raises Invalid, Conflict `version-deleted`."""
    abstraction = await guard.load(session, Abstraction, id_, "update")
    abstraction.alias(aliases)
    for number in {number for number in aliases.values() if number is not None}:
        version = abstraction.versions[number - 1]
        (await session.load(Version, version, repeats=False)).require_present()
    await guard.require(session, abstraction, "update")
    return await session.save(abstraction)


async def expect(
    services: Services, context: Context, guard: Guard, id_: str, text: str | None
) -> int:
    """Say what versions of a dataset are held against. Raises Invalid, naming line or field."""
    await services.store.run(context, lambda s: guard.load(s, Abstraction, id_, "update"))
    if text is not None:
        await asyncio.to_thread(read_expectations, text)
    return await services.store.run(
        context,
        lambda s: act(s, guard, Abstraction, id_, "update", lambda found: found.expect(text)),
    )


async def delete(
    services: Services, context: Context, guard: Guard, id_: str, reason: str
) -> tuple[int, int]:
    """Delete a version and its bytes; answers the position, and the bytes that the store regains.

    Raises Conflict `aliased`, `held`, `retained` and `version-deleted`.
    """

    async def deleted(session: Session) -> list[Aggregate]:
        version = await guard.load(session, Version, id_, "delete")
        version.delete(reason)
        await _require_no_alias(session, version)
        changed: list[Aggregate] = [version]
        if version.content is not None:
            artifact = await _artifact(session, version)
            artifact.delete(reason, context.time)
            changed.append(artifact)
        await guard.require(session, version, "delete")
        return changed

    async def save(session: Session) -> int:
        return await session.save(*await deleted(session))

    freed = 0  # counted while they are there, and only where nothing stands in the way
    for found in await services.store.run(context, deleted):
        if isinstance(found, Artifact):
            root = bytes.fromhex(found.root)
            freed = await asyncio.to_thread(services.artifacts.exclusive_bytes, root)
    return await services.store.run(context, save), freed


async def keep(
    session: Session, guard: Guard, id_: str, perform: Callable[[Artifact], None]
) -> int:
    """Change how long a version's bytes must stay. Raises Conflict for a version without any."""
    version = await guard.load(session, Version, id_, "hold", repeats=False)
    try:
        artifact = await _artifact(session, version, repeats=True)
    except AlreadyDone as done:
        raise AlreadyDone(id_, done.position) from None
    perform(artifact)
    return await session.save(artifact)


async def _artifact(session: Session, version: Version, *, repeats: bool = False) -> Artifact:
    if version.content is None:
        raise Conflict("this version has no bytes that could be held", id=version.id)
    return await session.load(Artifact, version.content["artifact"], repeats=repeats)


async def _require_no_alias(session: Session, version: Version) -> None:
    abstraction = await session.load(Abstraction, version.abstraction, repeats=False)
    names = sorted(name for name, n in abstraction.aliases.items() if n == version.number)
    if names:
        raise Conflict(
            f"this version is {', '.join(names)}: take its aliases away first",
            code="aliased",
            aliases=names,
        )
