"""Delivers a local run to the platform: opened once, told of in order, each frame stored once."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from hansard.client_errors import HansardError
from hansard.formats.frames import Frame
from hansard.formats.outbox import START, read_from
from hansard.formats.shipment import GOOD_SHIPMENT_BYTES
from hansard.tracking.spool import Spool

if TYPE_CHECKING:
    from hansard.client import Client
    from hansard.client.results import Told


class Delivery:
    """Goes on where the one before it stopped. The caller holds the run's lock."""

    def __init__(self, client: "Client", url: str, spool: Spool) -> None:
        self._client = client
        self._url = url
        self._spool = spool
        self._mark = spool.delivered()

    def deliver(self) -> "Told | None":
        """Send all that is new; answers what the platform said last, None if nothing was new.

        Raises HansardError: Unreachable and Unavailable pass, others do not.
        """
        self._open()
        told = None
        for frames, offset in self._shipments():
            told = self._client.runs.tell(self._spool.facts().id, frames)
            self._mark = replace(self._mark, offset=offset)
            self._spool.mark(self._mark)
        return told

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def _open(self) -> None:
        """Make the run known to the platform, once."""
        if self._mark.url == self._url:
            return
        facts = self._spool.facts()
        if self._mark.url is not None:
            detail = f"{facts.id} was begun on {self._mark.url}: log in there to deliver the rest"
            raise HansardError(detail)
        self._client.runs.open_local(
            facts.name,
            id=facts.id,
            experiment=facts.experiment,
            project=facts.project,
            parameters=facts.parameters,
            tags=facts.tags,
            started_by=facts.started_by,
        )
        self._mark = replace(self._mark, url=self._url)
        self._spool.mark(self._mark)

    def _shipments(self) -> Iterator[tuple[list[Frame], int]]:
        """New frames, so many at once as one request takes well, and the offset behind them."""
        frames: list[Frame] = []
        size, end = 0, 0
        for frame, offset in read_from(self._spool.outbox, self._mark.offset or START):
            if frames and size + len(frame.payload) > GOOD_SHIPMENT_BYTES:
                yield frames, end
                frames, size = [], 0
            frames.append(frame)
            size, end = size + len(frame.payload), offset
        if frames:
            yield frames, end
