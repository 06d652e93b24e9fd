"""Laws of the tree: one root however it grew, and proofs that hold for what is there only."""

from hypothesis import given
from hypothesis import strategies as st

from hansard.formats.merkle import (
    EMPTY,
    Frontier,
    Span,
    consistency_path,
    inclusion_path,
    is_consistent,
    is_included,
    joined,
    leaf,
    node,
)

MOST = 300
LEAVES = [leaf(number.to_bytes(2, "big")) for number in range(MOST)]
sizes = st.integers(1, MOST)


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word by word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node(by_definition(leaves[:half]), by_definition(leaves[half:]))


def grown(size: int) -> Frontier:
    tree = Frontier()
    tree.extend(LEAVES[:size])
    return tree


@given(st.lists(st.integers(0, 40), max_size=8))
def test_the_root_is_that_of_the_definition_however_the_tree_grew(steps: list[int]) -> None:
    tree = Frontier()
    for step in steps:
        tree.extend(LEAVES[tree.size :][:step])
        assert tree.root() == by_definition(LEAVES[: tree.size])
        assert joined(tree.peaks) == tree.root()
        tree = Frontier(tree.size, tree.peaks)


@given(st.data(), sizes)
def test_each_leaf_is_proven_and_no_other(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    base = grown(data.draw(st.integers(0, index)))
    root = by_definition(LEAVES[:size])
    path = inclusion_path(index, size, Span(base, LEAVES[base.size : size]))
    assert path == inclusion_path(index, size, Span(Frontier(), LEAVES[:size]))
    assert is_included(LEAVES[index], index, size, path, root)
    other = data.draw(st.integers(0, size).filter(lambda at: at != index))
    assert not is_included(LEAVES[index], other, size, path, root)
    assert not is_included(LEAVES[other % MOST], index, size, path, root) or other == MOST
    assert not is_included(LEAVES[index], index, size, [*path, EMPTY], root)
    assert not is_included(LEAVES[index], index, size, path[:-1], root) or not path
    for at in range(len(path)):
        assert not is_included(
            LEAVES[index], index, size, [*path[:at], EMPTY, *path[at + 1 :]], root
        )


@given(st.data(), sizes)
def test_a_beginning_is_proven_and_no_other(data: st.DataObject, size: int) -> None:
    first = data.draw(st.integers(1, size))
    base, tree = grown(first), grown(size)
    path = consistency_path(first, size, Span(base, LEAVES[first:size]))
    assert path == consistency_path(first, size, Span(Frontier(), LEAVES[:size]))
    assert is_consistent(first, size, path, base.root(), tree.root())
    assert not is_consistent(first, size, path, EMPTY, tree.root())
    assert not is_consistent(first, size, path, base.root(), EMPTY)
    assert not is_consistent(first, size, [*path, EMPTY], base.root(), tree.root())
    if path:
        assert not is_consistent(first, size, path[:-1], base.root(), tree.root())
    if first > 1:
        assert not is_consistent(first - 1, size, path, grown(first - 1).root(), EMPTY)
