"""Whether what a run leaves in a slot can be kept as is wished: as a version, or as a new model.

It is decided again when the run ends, for until then rights change and names are taken.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from api.access.guard import Guard
from api.commands.replication import Member
from api.commands.run_parts import SlotRequest
from domain.abstraction import Abstraction
from domain.errors import Conflict, Invalid
from domain.keep import Keep, checked_new_name
from domain.project import Project
from domain.version import Version
from hansard.formats.ids import new_id
from infra.event_store import Session
from infra.names import reserve


async def check_keep(
    session: Session,
    guard: Guard,
    slot: str,
    part: SlotRequest,
    version: Version,
    members: Sequence[Member],
) -> None:
    """Raise Invalid, Forbidden to publish or to create it, and Conflict `name-taken`."""
    name = checked_new_name(slot, part.keep, part.name)
    if part.keep is not Keep.NONE:
        _require_savable(slot, version)
    if part.keep is Keep.VERSION:
        await guard.load(session, Abstraction, version.abstraction, "publish", repeats=False)
    elif name is not None:
        names = [member.named(name) for member in members]
        await _require_free(session, guard, slot, version.project, names)


def require_distinct(parts: Mapping[str, SlotRequest]) -> None:
    """Raise Invalid if two slots are to become new models of one name."""
    taken: dict[str, str] = {}
    for slot, part in parts.items():
        if part.name is None:
            continue
        other = taken.setdefault(part.name.casefold(), slot)
        if other != slot:
            detail = f"slots `{other}` and `{slot}` cannot both become a model of this name"
            raise Invalid(detail, field=f"slots.{slot}.name")


def _require_savable(slot: str, version: Version) -> None:
    if version.kind != "model":
        raise Invalid(f"slot `{slot}` holds no model that could be kept", field=f"slots.{slot}")
    if "save" not in version.code["signature"]["methods"]:
        raise Invalid(
            f"the model in slot `{slot}` has no method `save`: it cannot be kept",
            field=f"slots.{slot}",
        )


async def _require_free(
    session: Session, guard: Guard, slot: str, project: str, names: Sequence[str]
) -> None:
    """Make the models as the ends of the runs would, and forget them."""
    (await guard.load(session, Project, project, repeats=False)).require_open()
    for name in names:
        model = Abstraction.register(new_id("model"), project, name)
        await guard.require(session, model, "create")
        try:
            await reserve(session, model, name, partial(guard.sees, session))
        except Conflict as taken:
            raise Conflict(taken.detail, code=taken.code, field=f"slots.{slot}.name") from None
