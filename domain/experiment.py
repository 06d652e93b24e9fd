"""Experiments: a question, and the runs that try to answer it."""

from eventsourcing.domain import event

from domain.aggregate import AggregateCreated
from domain.sharing import Shareable
from domain.text import checked_id, checked_name, checked_text


class Experiment(Shareable):
    """A named group of runs in a project."""

    TOPIC = "experiment"

    class Created(AggregateCreated):
        """An experiment was opened."""

        TOPIC = "experiment.created.v1"
        project: str
        name: str
        description: str

    @classmethod
    def create(cls, id_: str, project: str, name: str, description: str = "") -> "Experiment":
        """Open an experiment. Raises Invalid."""
        checked_text(description, "description")
        return cls._create(
            cls.Created,
            id=checked_id(id_, "experiment"),
            project=checked_id(project, "project"),
            name=checked_name(name),
            description=description,
        )

    @event(Created)
    def __init__(self, project: str, name: str, description: str) -> None:
        self._begin(name, description, project)
