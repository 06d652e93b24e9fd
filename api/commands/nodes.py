"""Nodes: tokens by which machines join, what one that joins is given, and who is there."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from api.access.guard import Guard
from api.services import Services
from domain.errors import Conflict
from domain.token import Token
from infra.embedded.data_folder import DataFolder
from infra.embedded.nats_users import admit
from infra.event_store import Session
from infra.nodes import SILENT_AFTER
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class JoinToken:
    """A token to issue by which machines join."""

    id: str
    user: str
    label: str
    digest: str
    expires_at: datetime


async def issue_join_token(session: Session, guard: Guard, new: JoinToken) -> int:
    """Issue it. Raises Forbidden, and AlreadyDone for a repeat."""
    guard.require_scope("node", "admit")
    await session.find(Token, new.id)
    await guard.require_admitting(session, new.id, "")
    token = Token.issue(
        new.id, new.user, new.label, new.digest, expires_at=new.expires_at, purpose="node"
    )
    return await session.save(token)


async def join(session: Session, guard: Guard, token_id: str, node: str) -> int:
    """Record that a machine joins, with a token whose issuer still may admit it.

    Raises Conflict, and Forbidden.
    """
    token = await session.load(Token, token_id, repeats=False)
    token.join(node)
    await guard.require_admitting(session, token.id, node)
    return await session.save(token)


async def seen(services: Services, guard: Guard) -> list[dict[str, Any]]:
    """All nodes ever heard of that the caller may see, by name."""
    guard.require_scope("node", "read")
    now = datetime.now(UTC)
    told = [
        {
            "name": node.name,
            **{unit: getattr(node.resources, unit) for unit in ("cpus", "gpus", "memory_mb")},
            "labels": node.labels,
            "facts": node.facts,
            "attempts": len(node.alive),
            "present": now - at < SILENT_AFTER,
            "heard_at": at,
        }
        for node, at in await services.nodes.told()
        if guard.sees_node(node.name)
    ]
    return sorted(told, key=lambda node: str(node["name"]))


async def require_free(services: Services, node: str) -> None:
    """Raise Conflict where no machine can join, or not by this name."""
    settings = services.settings
    if not settings.cluster or settings.backend != "ray":
        raise Conflict("no machine can join this platform: start it with `hansard up --cluster`")
    if node == settings.node or node in {found.name for found in await services.nodes.present()}:
        raise Conflict(f"a node with the name `{node}` is there already", node=node)


async def admitted(settings: Settings, node: str) -> dict[str, str]:
    """What the processes of a node need to know: their credentials are good from now on."""
    return await asyncio.to_thread(_admit, settings, node)


def _admit(settings: Settings, node: str) -> dict[str, str]:
    folder = DataFolder(settings.folder)
    user, password = admit(folder, node)
    place = urlsplit(settings.nats_url)
    return {
        "node": node,
        "nats_url": f"nats://{user}:{password}@{place.hostname}:{place.port}",
        "ray_address": settings.ray_address,
        "ray_token": folder.credential("ray-token"),
    }
