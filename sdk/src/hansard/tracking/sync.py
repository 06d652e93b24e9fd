"""Delivers the runs that lie in the spool: those begun offline, cut off, or killed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hansard.client_errors import HansardError, Unavailable, Unreachable
from hansard.tracking.delivery import Delivery
from hansard.tracking.recorder import Recorder
from hansard.tracking.spool import Spool, spools

if TYPE_CHECKING:
    from hansard.client import Client

KILLED = "its process ended without a word"


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of a run: `delivered`, `going` on in its process, or `refused` and why."""

    run: str
    outcome: str
    detail: str = ""


def sync(client: "Client", url: str, root: Path) -> Iterator[Synced]:
    """Deliver all runs of a spool, the oldest first; one that is refused stays, and stops no other.

    Raises Unreachable when nobody answers.
    """
    for spool in spools(root):
        try:
            yield _sync(client, url, spool)
        except (Unreachable, Unavailable):
            raise
        except (HansardError, OSError, ValueError, TypeError) as error:
            yield Synced(spool.path.name, "refused", str(error))


def _sync(client: "Client", url: str, spool: Spool) -> Synced:
    with spool.held() as held:
        if not held:
            return Synced(spool.path.name, "going")
        with Recorder(spool) as recorder:
            if not recorder.ended:
                recorder.end("lost", KILLED)
        told = Delivery(client, url, spool).deliver()
        kept = "" if spool.remove() else f"files that were logged stay in {spool.path}"
    given_up = told is not None and told.status == "lost"
    lost = "the platform had given it up: it stays lost there, with all it logged"
    return Synced(spool.path.name, "delivered", "; ".join(filter(None, (lost * given_up, kept))))
