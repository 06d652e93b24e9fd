"""What a process outside may say of its run: that it goes on, or how it ended."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from domain.plain_data import checked_json
from hansard.formats.frames import pack_status, unpack_status

MAX_TEXTS = 1000

Text = Annotated[str, Field(max_length=1 << 20)]
Count = Annotated[int, Field(ge=0, lt=2**63)]


class _Status(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Going(_Status):
    """It goes on; silence means the opposite after a while."""

    state: Literal["running"]


class LoggedText(_Status):
    """A piece of text that was logged, and when, in Unix seconds."""

    name: Annotated[str, Field(max_length=250)]
    text: Text
    time: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Failure(_Status):
    """The exception that ended it."""

    type: Annotated[str, Field(max_length=500)]
    message: Annotated[str, Field(max_length=10_000)]
    traceback: Annotated[str, Field(max_length=64 * 1024)]


class Ending(_Status):
    """How it ended, and the account of its points; null where that is not proven."""

    state: Literal["ended"]
    outcome: Literal["succeeded", "failed", "cancelled", "lost"]
    reason: Annotated[str, Field(max_length=2000)] = ""
    results: dict[str, Any] = {}
    logged: dict[str, Any] = {}
    texts: Annotated[list[LoggedText], Field(max_length=MAX_TEXTS)] = []
    failure: Failure | None = None
    metric_points: Count | None = None
    metric_points_lost: Count = 0
    series_root: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


_SAID: TypeAdapter[Going | Ending] = TypeAdapter(
    Annotated[Going | Ending, Field(discriminator="state")]
)


def checked_status(payload: bytes) -> bytes:
    """The payload with just what may be said. Raises FrameError, ValidationError, Invalid."""
    said = _SAID.validate_python(unpack_status(payload))
    found = said.model_dump(mode="json")
    if isinstance(said, Ending):
        checked_json(said.results, "results")
        checked_json(said.logged, "logged")
        found["outputs"] = []
    return pack_status(found)
