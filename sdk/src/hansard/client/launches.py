"""Asking for runs beside the plain way: what would stand against one, and one for each seed."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from hansard.client import requesting
from hansard.client.effect import Flow
from hansard.client.operation import S, operation
from hansard.client.requesting import Ref, Slots, Terms, Wish
from hansard.client.resource import Resource
from hansard.client.results import Run
from hansard.client.run_results import RunGroup, Verdict


class Launches(Resource[S, Run]):
    """Takes what `Client.run` takes."""

    @operation
    def validate(
        self,
        executor: Ref,
        slots: Slots | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        seeds: int | Sequence[int] | None = None,
        **terms: Unpack[Terms],
    ) -> Flow[Verdict]:
        """All that would stand against a run, and what it would be made of; none is asked for.

        Raises NotFound for a name that means nothing.
        """
        wish = Wish(executor, slots or {}, parameters or {}, seeds, **terms)
        return (yield from requesting.validate(self._session, wish))

    @operation
    def replicate(
        self,
        executor: Ref,
        slots: Slots | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        seeds: int | Sequence[int],
        **terms: Unpack[Terms],
    ) -> Flow[RunGroup]:
        """Ask for a run with each of these seeds, or with so many that are drawn: all or none.

        ` seed N` is added to the names of the runs, and of new models. Raises Invalid, NotFound.
        """
        wish = Wish(executor, slots or {}, parameters or {}, seeds, **terms)
        return (yield from requesting.request_group(self._session, wish))

    @operation
    def group(
        self, id_: str, *, statistic: str = "last", best: str | None = None, mode: str = "max"
    ) -> Flow[RunGroup]:
        """A group of runs, and what its metrics and results spread over. Raises NotFound.

        `statistic` is what stands for a metric within a run: `last`, `min` or `max`. `best` is the
        metric or result that ranks the runs by its highest value or, with `mode` `min`, its lowest.
        """
        query = {"statistic": statistic, "best": best, "mode": mode}
        return (yield from requesting.read_group(self._session, id_, query))

    @operation
    def wait_for_group(self, id_: str, timeout_s: float | None = None) -> Flow[RunGroup]:
        """The group once all of its runs have ended, however they ended. Raises TimeoutError."""
        return (yield from requesting.wait_for_group(self._session, id_, timeout_s))
