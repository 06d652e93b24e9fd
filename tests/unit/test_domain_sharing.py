"""Sharing: visibilities, groups and users, embargoes, of all that can be shared."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.abstraction import Abstraction
from domain.errors import Conflict, Invalid
from domain.experiment import Experiment
from domain.project import Project
from domain.sharing import MAX_SHARES, Shareable, Visibility
from hansard.formats.ids import new_id
from tests.unit.stories import a_request, emitted

PROJECT = new_id("project")
GROUPS = sorted(new_id("group") for _ in range(3))
USERS = sorted(new_id("user") for _ in range(3))
WEST = timezone(timedelta(hours=-5))
LATER = datetime(2030, 6, 1, tzinfo=UTC)

BIRTHS: dict[str, Callable[[], Shareable]] = {
    "project": lambda: Project.create(new_id("project"), "one"),
    "experiment": lambda: Experiment.create(new_id("experiment"), PROJECT, "one"),
    "abstraction": lambda: Abstraction.register(new_id("model"), PROJECT, "one"),
}


@pytest.fixture(params=BIRTHS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def entity(kind: str) -> Shareable:
    born = BIRTHS[kind]()
    born.collect_events()
    return born


def test_what_is_born_is_private_and_under_no_embargo(entity: Shareable) -> None:
    assert (entity.visibility, entity.groups, entity.users) == (Visibility.PRIVATE, [], [])
    assert entity.embargo_until is None


def test_each_kind_is_shared_by_events_of_its_own(kind: str, entity: Shareable) -> None:
    entity.share("public", GROUPS, USERS)
    entity.embargo(LATER)
    entity.embargo(None)
    assert emitted(entity) == [
        *(f"{kind}.shared.v1", f"{kind}.embargoed.v1", f"{kind}.embargoed.v1"),
    ]
    assert (entity.visibility, entity.groups, entity.users) == ("public", GROUPS, USERS)
    assert entity.embargo_until is None


def test_groups_and_users_are_kept_once_and_in_order(entity: Shareable) -> None:
    entity.share("project", [*reversed(GROUPS), GROUPS[0]], [USERS[2], USERS[0], USERS[2]])
    assert (entity.groups, entity.users) == (GROUPS, [USERS[0], USERS[2]])


def test_sharing_again_in_another_order_emits_nothing(entity: Shareable) -> None:
    entity.share("project", GROUPS, USERS)
    entity.share("project", reversed(GROUPS), reversed(USERS))
    entity.embargo(LATER)
    entity.embargo(LATER.astimezone(timezone(timedelta(hours=2))))
    assert len(emitted(entity)) == 2


@pytest.mark.parametrize(
    ("visibility", "groups", "users", "field"),
    [
        ("secret", [], [], "visibility"),
        ("public", [USERS[0]], [], "id"),
        ("public", [], [GROUPS[0]], "id"),
        ("public", ["group-1"], [], "id"),
        ("public", [new_id("group") for _ in range(MAX_SHARES + 1)], [], "groups"),
        ("public", [], [new_id("user") for _ in range(MAX_SHARES + 1)], "users"),
    ],
)
def test_such_sharing_is_refused(
    entity: Shareable, visibility: str, groups: list[str], users: list[str], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        entity.share(visibility, groups, users)
    assert refused.value.context["field"] == field
    assert emitted(entity) == []


def test_an_embargo_ends_at_one_moment_for_everybody(entity: Shareable) -> None:
    for moment in (LATER.replace(tzinfo=None), datetime.max.replace(tzinfo=WEST)):
        with pytest.raises(Invalid):
            entity.embargo(moment)
    entity.embargo(LATER.astimezone(WEST))
    (event,) = entity.pending_events
    assert vars(event)["until"] == "2030-06-01T00:00:00+00:00"
    assert entity.embargo_until == LATER


def test_what_is_archived_is_neither_shared_nor_held_back(entity: Shareable) -> None:
    entity.archive()
    changes: list[Callable[[], None]] = [
        *(lambda: entity.share("public", [], []), lambda: entity.embargo(LATER)),
    ]
    for change in changes:
        with pytest.raises(Conflict):
            change()


def test_a_run_is_as_visible_as_its_experiment_and_not_shared_itself() -> None:
    run = a_request()
    assert not isinstance(run, Shareable)
    assert not hasattr(run, "Shared")
