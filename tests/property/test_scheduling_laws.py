"""Laws of scheduling over any queue, any placement and any nodes."""

from hypothesis import given
from hypothesis import strategies as st

from domain.resources import Resources, never_fits
from domain.scheduling import Admit, Placed, Reject, Waiting, decide

AMOUNTS = st.builds(
    Resources, cpus=st.integers(1, 6), gpus=st.integers(0, 2), memory_mb=st.integers(0, 3)
)
NODES = st.dictionaries(st.sampled_from(["a", "b", "c"]), AMOUNTS, max_size=3)
QUEUES = st.lists(AMOUNTS, max_size=8).map(
    lambda asked: [Waiting(f"run-{n}", resources) for n, resources in enumerate(asked)]
)
PLACED = st.lists(
    st.builds(Placed, st.just("p"), st.sampled_from(["a", "b", "gone"]), AMOUNTS), max_size=4
)


def used(node: str, placed: list[Placed]) -> Resources:
    here = [p.resources for p in placed if p.node == node]
    return Resources(
        sum(r.cpus for r in here), sum(r.gpus for r in here), sum(r.memory_mb for r in here)
    )


@given(QUEUES, PLACED, NODES)
def test_what_is_admitted_never_exceeds_a_node(
    queue: list[Waiting], placed: list[Placed], nodes: dict[str, Resources]
) -> None:
    asked = {waiting.run: waiting.resources for waiting in queue}
    admitted = [
        Placed(d.run, d.node, asked[d.run])
        for d in decide(queue, placed, nodes)
        if isinstance(d, Admit)
    ]
    for node in {placed.node for placed in admitted}:
        assert used(node, [*placed, *admitted]).fits(nodes[node])


@given(QUEUES, PLACED, NODES)
def test_the_same_question_has_the_same_answer(
    queue: list[Waiting], placed: list[Placed], nodes: dict[str, Resources]
) -> None:
    turned = dict(reversed(nodes.items()))
    assert decide(queue, placed, nodes) == decide(queue, placed[::-1], turned)


@given(QUEUES, PLACED, NODES)
def test_nobody_overtakes_within_a_lane(
    queue: list[Waiting], placed: list[Placed], nodes: dict[str, Resources]
) -> None:
    decisions = decide(queue, placed, nodes)
    admitted = {decision.run for decision in decisions if isinstance(decision, Admit)}
    for needs_gpu in (True, False):
        lane = [w.run for w in queue if (w.resources.gpus > 0) == needs_gpu]
        in_order = [run in admitted for run in lane if _could_run(run, queue, nodes)]
        assert in_order == sorted(in_order, reverse=True)


def _could_run(run: str, queue: list[Waiting], nodes: dict[str, Resources]) -> bool:
    (asked,) = [w.resources for w in queue if w.run == run]
    return never_fits(asked, list(nodes.values())) is None


@given(QUEUES, PLACED, NODES)
def test_only_what_never_fits_is_rejected(
    queue: list[Waiting], placed: list[Placed], nodes: dict[str, Resources]
) -> None:
    rejected = {d.run for d in decide(queue, placed, nodes) if isinstance(d, Reject)}
    never = {
        w.run for w in queue if nodes and not any(w.resources.fits(node) for node in nodes.values())
    }
    assert rejected == never


@given(AMOUNTS, NODES.filter(bool))
def test_on_empty_nodes_the_first_that_could_ever_run_is_admitted(
    asked: Resources, nodes: dict[str, Resources]
) -> None:
    (decision,) = decide([Waiting("first", asked)], [], nodes)
    assert isinstance(decision, Admit) == any(asked.fits(node) for node in nodes.values())
