"""Runs in a process of their user: opened, and fed with what that process tells of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api.access.guard import Guard
from api.commands.outside_status import checked_status
from api.services import Services
from domain import outside_run
from domain.aggregate import Context
from domain.errors import Conflict, Forbidden, Invalid
from domain.experiment import Experiment
from domain.plain_data import checked_json, holds_text
from domain.run import Run
from hansard.formats.frames import Frame, FrameError, Kind, pack_log, unpack_log, unpack_metrics
from hansard.formats.points import MAX_KEY_CHARS
from hansard.formats.shipment import unpack_frames
from infra.event_store import Session
from infra.telemetry import Source
from infra.telemetry_sending import send

MAX_SEQ = 2**53


@dataclass(frozen=True, slots=True)
class Opening:
    """A run as somebody opens it; `started_by` says what program it is."""

    id: str
    experiment: str
    name: str
    parameters: dict[str, Any]
    tags: dict[str, str]
    started_by: str


async def open_run(session: Session, guard: Guard, asked: Opening) -> int:
    """Record a run that goes on already. Raises Invalid, NotFound, Conflict, Forbidden."""
    experiment = await guard.load(session, Experiment, asked.experiment)
    experiment.require_open()
    run = outside_run.open_run(
        asked.id,
        project=experiment.project,
        experiment=experiment.id,
        name=asked.name,
        parameters=checked_json(asked.parameters, "parameters"),
        tags=asked.tags,
        started_by=asked.started_by,
    )
    await guard.require(session, run, "create")
    return await session.save(run)


async def take_frames(
    services: Services, context: Context, guard: Guard, id_: str, data: bytes
) -> Mapping[str, Any]:
    """Store frames of a run that the caller opened; answers what has become of the run.

    Frames that are there already are stored no second time. Raises Invalid for what is no frame of
    such a run, and Forbidden, NotFound, Conflict `not-outside`.
    """

    async def feed(session: Session) -> Run:
        return await guard.load(session, Run, id_, repeats=False)

    run = await services.store.run(context, feed)
    if run.created_by != guard.access.subject_id:
        raise Forbidden("only who opened this run can tell of it", id=id_)
    if not outside_run.is_outside(run):
        raise Conflict("this run is told of by the node that it is on", code="not-outside", id=id_)
    services.check_space()
    frames = _frames(data)
    assert run.project is not None
    source = Source(outside_run.OUTSIDE, run.project, run.experiment, run.id, 1)
    for frame in frames:
        await send(services.nats, source, frame)
    return {
        "seq": frames[-1].seq if frames else 0,
        "status": run.status,
        "cancel_requested": run.cancel_requested,
    }


def _frames(data: bytes) -> Sequence[Frame]:
    try:
        return [_checked(frame) for frame in unpack_frames(data)]
    except FrameError as error:
        raise Invalid(f"not frames of a run: {error}", field="body") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise Invalid(f"a status is odd at `{where}`", field=where) from None


def _checked(frame: Frame) -> Frame:
    """The frame with a payload that every reader can read. Raises FrameError, ValidationError."""
    if not 0 < frame.seq < MAX_SEQ:
        raise FrameError(f"frames are numbered from 1 to {MAX_SEQ}")
    match frame.kind:
        case Kind.METRICS:
            if not all(map(_is_key, (column.key for column in unpack_metrics(frame.payload)))):
                raise FrameError("a metric's key is empty, too long or no text")
            return frame
        case Kind.LOG:
            return Frame(frame.seq, frame.kind, pack_log(unpack_log(frame.payload)))
        case Kind.STATUS:
            return Frame(frame.seq, frame.kind, checked_status(frame.payload))
        case Kind.ITEMS | Kind.HARDWARE:
            raise FrameError("only points, lines and statuses are taken from outside")


def _is_key(key: str) -> bool:
    return 0 < len(key) <= MAX_KEY_CHARS and key.isprintable() and holds_text(key)
