"""How long the bytes of a version must stay, from the row of its artifact."""

from typing import Any

from infra.database import Connection
from policies.access import Permit


def hold_of(connection: Connection, permit: Permit) -> dict[str, Any]:
    """Why the bytes are held and until when they are kept; null where `content` is masked."""
    row = None
    if "content" not in permit.masked:
        row = connection.execute(
            "SELECT to_jsonb(hold), to_jsonb(retained_until) FROM artifact WHERE version = %s",
            (permit.entity,),
        ).fetchone()
    hold, until = row or (None, None)
    return {"hold": hold, "retained_until": until}
