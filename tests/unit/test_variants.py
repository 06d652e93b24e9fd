"""Which builds a node takes, for which a run is locked, and which lock is chosen."""

import json
from typing import Any

import pytest

from api.commands.claims import variants_wanted
from domain.resources import Resources
from infra.environments.pip_settings import parse
from infra.environments.variants import chosen, packed, variant_of
from infra.nodes import Node
from workers.environment import suiting
from workers.faults import StepFault

LOCKS = [{"variant": "cpu", "text": "a"}, {"variant": "cu126", "text": "b"}]
LOCKS += [{"variant": "cu130", "text": "c"}]


@pytest.mark.parametrize(
    ("drivers", "variant"),
    [
        ([], "cpu"),
        (["13.1"], "cu130"),
        (["12.9"], "cu128"),
        (["12.4"], "cu118"),
        (["13.0", "12.6"], "cu126"),
        (["10.2"], "cpu"),
        ([""], "cpu"),
    ],
)
def test_a_node_takes_builds_that_are_no_newer_than_its_drivers(
    drivers: list[str], variant: str
) -> None:
    assert variant_of([{"cuda": cuda} for cuda in drivers]) == variant


@pytest.mark.parametrize(
    ("node", "variant"), [("cpu", "cpu"), ("cu118", "cpu"), ("cu128", "cu126"), ("cu130", "cu130")]
)
def test_the_newest_lock_that_a_node_takes_is_chosen(node: str, variant: str) -> None:
    assert chosen(packed(LOCKS), node)["variant"] == variant


def test_a_file_with_a_lock_alone_is_that_lock_as_always() -> None:
    assert json.loads(packed(LOCKS[:1])) == LOCKS[0]
    assert chosen(packed(LOCKS[:1]), "cu130") == LOCKS[0]


def test_a_node_that_takes_none_says_what_there_is() -> None:
    with pytest.raises(StepFault, match="builds cu126, cu130, and this node takes cu118 at most"):
        suiting(packed(LOCKS[1:]), "cu118")


def node(cuda: str, gpus: int = 1, pool: str = "default") -> Node:
    facts: dict[str, Any] = {"accelerators": [{"cuda": cuda}] if cuda else []}
    return Node(cuda, Resources(4, gpus), frozenset(), facts, {"pool": pool})


def test_a_run_is_locked_for_the_nodes_that_it_may_get() -> None:
    nodes = [node("13.0"), node("12.6"), node("11.8", pool="old"), node("", gpus=0)]
    with_gpu = Resources(1, 1)
    assert variants_wanted(Resources(), "default", nodes) == ("cpu",)
    assert variants_wanted(with_gpu, "default", nodes) == ("cu126", "cu130")
    assert variants_wanted(with_gpu, "old", nodes) == ("cu118",)
    assert variants_wanted(with_gpu, "new", nodes) == ("cu130",)


def test_an_index_for_a_variant_is_searched_for_that_variant_only() -> None:
    told = {"HANSARD_VARIANT_INDEXES": '{"cpu": "https://me:secret@mirror/cpu"}'}
    settings = parse("global.extra-index-url='https://own/simple'", told)
    assert settings.uv_environment({}, "cpu")["UV_INDEX"] == (
        "https://me:secret@mirror/cpu https://own/simple"
    )
    assert settings.uv_environment({}, "cu130")["UV_INDEX"] == "https://own/simple"
    assert parse("", told).uv_arguments("cpu") == ()
    assert parse("", told).uv_arguments("cu130") == ("--torch-backend=cu130",)
    assert "secret" not in repr(settings)
