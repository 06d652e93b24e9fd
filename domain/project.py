"""Projects: every other entity belongs to one."""

from eventsourcing.domain import event

from domain.aggregate import AggregateCreated
from domain.sharing import Shareable
from domain.text import checked_id, checked_name, checked_text

DEFAULT_PROJECT = "project-00000000-0000-7000-8000-000000000000"


class Project(Shareable):
    """A named workspace."""

    TOPIC = "project"

    class Created(AggregateCreated):
        """A project was opened."""

        TOPIC = "project.created.v1"
        name: str
        description: str

    @classmethod
    def create(cls, id_: str, name: str, description: str = "") -> "Project":
        """Open a project. Raises Invalid."""
        checked_text(description, "description")
        return cls._create(
            cls.Created,
            id=checked_id(id_, "project"),
            name=checked_name(name),
            description=description,
        )

    @event(Created)
    def __init__(self, name: str, description: str) -> None:
        self._begin(name, description, project=None)
