"""Parts of the body that asks for a run: what fills slots, resources, names of secrets."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from api.commands.run_parts import SlotRequest
from api.routes.bodies import Body, Id, Name
from domain.errors import Invalid
from domain.keep import Keep
from domain.sandbox import Level
from domain.signatures.extraction import MAX_METHODS
from domain.slots import MAX_PARTS
from domain.text import MAX_NAME


class SecretReference(Body):
    """A secret of the run's project, by its name or id."""

    secret: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


class SlotBody(Body):
    """What to put in a slot: a version id, or a model's or loader's id for its latest version."""

    version: Id
    parameters: dict[str, Any] = {}
    keep: Annotated[
        bool | Literal["none", "version", "model"],
        Field(
            description="what becomes of the trained model: nothing (also false), a new version of "
            "the same model (also true), or a new model of the run's project called `name`"
        ),
    ] = "none"
    name: Name | None = None
    methods: Annotated[
        dict[str, dict[str, Any]],
        Field(
            max_length=MAX_METHODS,
            description="by method what it takes beyond what the slot's roles give it: the values "
            "of the `fields` of a candidate",
        ),
    ] = {}

    def request(self) -> SlotRequest:
        """As commands take it."""
        keep = ("version" if self.keep else "none") if isinstance(self.keep, bool) else self.keep
        return SlotRequest(self.version, self.parameters, Keep(keep), self.name, self.methods)


class ResourcesBody(Body):
    """What the run needs of one node."""

    cpus: int = 1
    gpus: int = 0
    memory_mb: int = 0
    wall_time_s: int = 24 * 3600
    network: Annotated[bool, Field(description="where the sandbox cuts it otherwise")] = False
    sandbox: Annotated[
        Level, Field(strict=False, description="the least level; policies may demand more")
    ] = Level.NONE
    workers: Annotated[
        int,
        Field(description="processes that execute it together on the node; all share what it asks"),
    ] = 1


def plain(value: str | SecretReference) -> Any:
    """The value of a variable as commands take it."""
    return value if isinstance(value, str) else value.model_dump()


def by_place(slots: Mapping[str, SlotBody | list[SlotBody]]) -> dict[str, SlotRequest]:
    """The parts of a run, those of a list numbered from 0. Raises Invalid."""
    found: dict[str, SlotRequest] = {}
    for name, given in slots.items():
        numbered = {
            f"{name}.{n}": e for n, e in enumerate(given if isinstance(given, list) else [])
        }
        parts = {name: given} if isinstance(given, SlotBody) else numbered
        for place, part in parts.items():
            if place in found:
                raise Invalid(f"`{place}` is given twice", field=f"slots.{place}")
            found[place] = part.request()
    if len(found) > MAX_PARTS:
        raise Invalid(f"{len(found)} parts in slots, at most {MAX_PARTS}", field="slots")
    return found
