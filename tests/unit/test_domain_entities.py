"""Named entities, versions, reservations, users and tokens: commands, events, refusals."""

from collections.abc import Callable

import pytest

from domain.abstraction import Abstraction
from domain.attributes import MAX_ATTRIBUTES
from domain.entity import Entity
from domain.errors import Conflict, DomainError, Invalid
from domain.experiment import Experiment
from domain.name import NameReservation, reservation_id
from domain.project import Project
from domain.text import checked_id, checked_name, checked_tags, kind_of
from domain.token import Token
from domain.user import User
from hansard.formats.ids import new_id
from tests.unit.stories import emitted

PROJECT = new_id("project")
RUN = "run-01890000-0000-7000-8000-000000000001"

BIRTHS: dict[str, Callable[[], Entity]] = {
    "project": lambda: Project.create(new_id("project"), "one"),
    "experiment": lambda: Experiment.create(new_id("experiment"), PROJECT, "one"),
    "abstraction": lambda: Abstraction.register(new_id("model"), PROJECT, "one"),
}


@pytest.fixture(params=BIRTHS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def entity(kind: str) -> Entity:
    born = BIRTHS[kind]()
    born.collect_events()
    return born


def test_each_kind_of_entity_has_events_of_its_own(kind: str, entity: Entity) -> None:
    entity.rename("two")
    entity.describe("words")
    entity.tag({"a": "b"})
    entity.archive()
    entity.restore()
    names = ("renamed", "described", "tagged", "archived", "restored")
    assert emitted(entity) == [f"{kind}.{name}.v1" for name in names]
    assert (entity.name, entity.description, entity.tags) == ("two", "words", {"a": "b"})


def test_a_change_that_changes_nothing_emits_nothing(entity: Entity) -> None:
    entity.rename(entity.name)
    entity.describe(entity.description)
    entity.tag(dict(entity.tags))
    assert emitted(entity) == []


def test_what_is_archived_is_closed_until_it_is_restored(entity: Entity) -> None:
    entity.archive()
    changes: list[Callable[[], object]] = [
        lambda: entity.rename("two"),
        lambda: entity.describe("words"),
        lambda: entity.tag({"a": "b"}),
        entity.archive,
    ]
    for change in changes:
        with pytest.raises(Conflict):
            change()
    entity.restore()
    with pytest.raises(Conflict):
        entity.restore()
    entity.rename("two")
    assert entity.name == "two"


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "a/b", "a\0", "a\nb", "a\u200bb", "a\u2028", "x" * 129, "\ud800"]
)
def test_such_names_are_refused(name: str, entity: Entity) -> None:
    with pytest.raises(Invalid) as refused:
        entity.rename(name)
    assert refused.value.context["field"] == "name"
    assert emitted(entity) == []


@pytest.mark.parametrize("name", ["a", "a b", "Größe 3", "模型", "x" * 128, "a.b-c_d (2)"])
def test_such_names_are_taken(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "tags",
    [
        *({"": "x"}, {"a b": "x"}, {"a/b": "x"}, {"-a": "x"}, {"a": "x" * 257}, {"a": "\0"}),
        *({f"k{n}": "" for n in range(65)}, {"k" * 65: ""}),
    ],
)
def test_such_tags_are_refused(tags: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        checked_tags(tags)


@pytest.mark.parametrize(
    "id_",
    [
        *("", "run", "run-1", "run-" + "0" * 36, RUN.upper(), RUN + "\n", " " + RUN),
        *(RUN.replace("run", "model"), RUN.replace("-", "_")),
    ],
)
def test_such_ids_of_runs_are_refused(id_: str) -> None:
    with pytest.raises(Invalid):
        checked_id(id_, "run")


def test_an_id_tells_its_kind() -> None:
    assert kind_of(checked_id(new_id("loader"), "loader")) == "loader"


def test_versions_are_numbered_from_one() -> None:
    model = Abstraction.register(new_id("model"), PROJECT, "net")
    ids = [new_id("version") for _ in range(3)]
    assert [model.add_version(id_) for id_ in ids] == [1, 2, 3]
    assert model.versions == ids


def test_a_run_can_keep_its_model_although_it_was_archived_meanwhile() -> None:
    model = Abstraction.register(new_id("model"), PROJECT, "net")
    model.archive()
    assert model.add_version(new_id("version")) == 1


def test_an_abstraction_is_an_executor_a_model_a_loader_or_a_dataset() -> None:
    with pytest.raises(Invalid):
        Abstraction.register(new_id("run"), PROJECT, "x")
    for kind in ("executor", "model", "loader", "dataset"):
        assert Abstraction.register(new_id(kind), PROJECT, "x").kind == kind


def test_names_that_differ_only_in_case_are_one_name() -> None:
    assert reservation_id("p", "model", "Net") == reservation_id("p", "model", "nET")
    others = [("q", "model", "Net"), ("p", "run", "Net"), ("p", "model", "Ne"), ("pm", "odel", "N")]
    ids = {reservation_id("p", "model", "Net"), *(reservation_id(*other) for other in others)}
    assert len(ids) == 5


def test_a_name_is_held_by_one_until_it_is_released() -> None:
    place = reservation_id("p", "model", "net")
    name = NameReservation.reserve(place, "model-1")
    with pytest.raises(Conflict) as refused:
        name.take("model-2")
    assert refused.value.code == "name-taken"
    name.release()
    name.take("model-2")
    assert name.holder == "model-2"
    assert emitted(name) == ["name.reserved.v1", "name.released.v1", "name.taken.v1"]


def test_a_user_is_shut_out_and_let_in_again() -> None:
    user = User.register(new_id("user"), "sealed", {"admin": True})
    with pytest.raises(Conflict):
        user.enable()
    user.disable()
    with pytest.raises(Conflict):
        user.disable()
    user.enable()
    user.change_attributes({"admin": True})
    user.change_attributes({})
    assert emitted(user)[1:] == [
        *("user.disabled.v1", "user.enabled.v1", "user.attributes_changed.v1"),
    ]


@pytest.mark.parametrize(
    "attributes",
    [
        *({"a": "\0"}, {"a": ["\ud800"]}, {"\0": 1}, {"a": 2**63}, {"a": float("nan")}),
        *({"a": {1: 2}}, {f"k{n}": n for n in range(MAX_ATTRIBUTES + 1)}),
    ],
)
def test_attributes_that_cannot_be_stored_are_refused(attributes: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        User.register(new_id("user"), "sealed", attributes)


def test_a_token_is_revoked_once() -> None:
    token = Token.issue(new_id("token"), new_id("user"), "laptop", "digest")
    token.revoke()
    with pytest.raises(Conflict):
        token.revoke()
    with pytest.raises(Invalid):
        Token.issue(new_id("token"), new_id("user"), "x" * 129, "digest")


def test_a_refusal_carries_a_code_a_sentence_and_facts() -> None:
    error = Conflict("no", id="run-1")
    assert (error.code, error.detail, error.context) == ("conflict", "no", {"id": "run-1"})
    assert DomainError("x", code="behind").code == "behind"
