"""What a listener may listen to: `run:<id>`, `experiment:<id>`, `project:<id>`."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.errors import Invalid
from domain.text import checked_id
from infra.telemetry import EVERYTHING, of_experiment, of_project, of_run

MAX_TOPICS = 64
_FILTERS: dict[str, Callable[[str], str]] = {
    "run": of_run,
    "experiment": of_experiment,
    "project": of_project,
}


@dataclass(frozen=True, slots=True)
class Topics:
    """A set of runs, experiments and projects."""

    ids: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> "Topics":
        """Read a comma-separated list of topics. Raises Invalid."""
        ids = set()
        for topic in filter(None, text.split(",")):
            kind, _, id_ = topic.partition(":")
            if kind not in _FILTERS:
                raise Invalid(f"`{topic}` is not run:, experiment: or project:", field="topics")
            ids.add(checked_id(id_, kind))
        if not 0 < len(ids) <= MAX_TOPICS:
            raise Invalid(f"listen to 1 to {MAX_TOPICS} topics", field="topics")
        return cls(frozenset(ids))

    def match(self, places: frozenset[str]) -> bool:
        """Whether something in these places (run, experiment, project) is listened to."""
        return not self.ids.isdisjoint(places)

    @property
    def telemetry_filter(self) -> str:
        """The narrowest subject filter that holds all telemetry of these topics."""
        if len(self.ids) > 1:
            return EVERYTHING
        (id_,) = self.ids
        return _FILTERS[id_.partition("-")[0]](id_)
