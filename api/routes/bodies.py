"""Request bodies that several routes share; unknown fields are refused."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    """A JSON body: unknown fields and lax types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


Name = Annotated[str, Field(min_length=1, max_length=128)]
Id = Annotated[str, Field(max_length=64)]
Tags = dict[str, str]


class NewEntity(Body):
    """A named entity of the platform; the id may be made by the client, to retry safely."""

    id: Id | None = None
    name: Name
    description: str = ""


class NewInProject(NewEntity):
    """A named entity of a project; the default project if none is given."""

    project: Id | None = None


class Change(Body):
    """What may be changed of any named entity; what is left out stays."""

    name: Name | None = None
    description: str | None = None
    tags: Tags | None = None


class Because(Body):
    """Why; it is recorded."""

    reason: Annotated[str, Field(min_length=1, description="recorded")]


class Written(BaseModel):
    """The answer to a write: what was written, and the log position to wait for."""

    id: str
    position: int
    repeated: bool = False


class PageOf(BaseModel):
    """A page of a list. Follow `next_cursor` with the same sort and filters."""

    items: list[dict[str, Any]]
    next_cursor: str | None
    position: int
    total: int | None = None


class Step(BaseModel):
    """What the next number of SemVer should be, and why."""

    step: Literal["major", "minor", "patch"]
    reasons: list[str]
