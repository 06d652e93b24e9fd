"""Keeps the record sealed: a checkpoint each 1,000 events, and a minute after whatever is new."""

import asyncio
import threading

import structlog

from infra.audit.checkpointer import CannotSign, Checkpointer
from infra.event_log.errors import LogUnavailable
from workers.checkpoint_delivery import Delivery, deliver_all

_LOOK_EVERY_S = 1.0
_AFTER_TROUBLE_S = 5.0
_UNSIGNED_S = 60.0

_log = structlog.get_logger(__name__)


async def seal(checkpointer: Checkpointer, stopped: threading.Event) -> None:
    """Make checkpoints until the process must stop.

    A record that is not as it was signed is told of each minute, and not signed.
    """
    while not stopped.is_set():
        pause_s = _LOOK_EVERY_S
        try:
            made = await checkpointer.step()
            if made is not None:
                _log.info("checkpoint_made", position=made.said.size)
                pause_s = 0.0
        except CannotSign as error:
            _log.error("record_not_signed", why=str(error))
            pause_s = _UNSIGNED_S
        except (LogUnavailable, OSError) as error:
            _log.error("checkpoint_failed", error=f"{type(error).__name__}: {error}")
            pause_s = _AFTER_TROUBLE_S
        await asyncio.to_thread(stopped.wait, pause_s)


async def keep_sealed(
    checkpointer: Checkpointer, deliveries: list[Delivery], url: str, stopped: threading.Event
) -> None:
    """Make checkpoints and hand them out, until the process must stop."""
    await asyncio.gather(seal(checkpointer, stopped), deliver_all(deliveries, url, stopped))
