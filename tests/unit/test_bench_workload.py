"""What the benches of models and datasets work on: the same each time, and floors that are true."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from bench.dataset_files import (
    change_small_file,
    csv_pair,
    small_file,
    table,
    with_row_inserted,
    write_small_files,
)
from bench.entropy_floor import TensorFloor, entropy_floor, unique_raw_bytes
from bench.peers.machine_floor import bytes_of
from bench.table2_models import FineTunes, bert_base_shapes

SHAPES = {
    "bert.encoder.layer.0.output.dense.weight": (8, 16),
    "bert.encoder.layer.5.output.dense.weight": (8, 16),
    "bert.embeddings.LayerNorm.bias": (4,),
    "bert.pooler.dense.bias": (8,),
    "bert.pooler.dense.weight": (8, 8),
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Weights of two layers, each part with a sign or size of its own."""
    parts = {
        "encoder.layer.0.output.dense.weight": -np.arange(1, 65, dtype=np.float32),
        "encoder.layer.1.output.dense.weight": np.arange(1, 65, dtype=np.float32),
        "embeddings.LayerNorm.bias": np.full(4, 1000, np.float32),
        "embeddings.position_ids": np.arange(4),
        "pooler.dense.bias": np.full(4, 0.5, np.float32),
        "pooler.dense.weight": np.full((4, 4), 2.0, np.float32),
    }
    path = tmp_path / "source.safetensors"
    save_file(parts, path)
    return path


@pytest.fixture
def fine_tunes(source: Path) -> FineTunes:
    return FineTunes(source, SHAPES)


def test_a_model_is_the_same_bytes_each_time_and_another_seed_gives_others(
    tmp_path: Path, source: Path
) -> None:
    written = [
        FineTunes(source, SHAPES, seed).write_model(tmp_path / folder, (1, 2), 400).read_bytes()
        for folder, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert written[0] == written[1] != written[2]


def test_a_model_is_laid_out_as_the_library_of_safetensors_does(
    tmp_path: Path, fine_tunes: FineTunes
) -> None:
    path = fine_tunes.write_model(tmp_path, (0, 0), 400)
    again = tmp_path / "again.safetensors"
    save_file(load_file(path), again, metadata={"format": "pt"})
    assert again.read_bytes() == path.read_bytes()


def test_runs_and_users_differ_in_all_of_the_head_and_in_nothing_else(
    tmp_path: Path, fine_tunes: FineTunes
) -> None:
    first, *others = (
        load_file(fine_tunes.write_model(tmp_path, seed, 4000)) for seed in ((0, 0), (0, 1), (1, 0))
    )
    heads = set(fine_tunes.head_shapes(4000))
    for other in others:
        assert {name for name in first if not np.array_equal(first[name], other[name])} == heads
        assert all(np.mean(first[name] == other[name]) < 0.2 for name in heads)


def test_values_are_those_of_the_same_part_moved_a_little(
    tmp_path: Path, fine_tunes: FineTunes
) -> None:
    model = load_file(fine_tunes.write_model(tmp_path, (3, 4), 400))
    assert (model["bert.encoder.layer.0.output.dense.weight"] < 0).all()
    assert (model["bert.encoder.layer.5.output.dense.weight"] > 0).all()
    norm = model["bert.embeddings.LayerNorm.bias"]
    assert np.allclose(norm, 1000, rtol=0.01)
    assert len(set(norm.tolist())) == 4


@pytest.mark.parametrize("head_bytes", [40_000, 400_000, 4_000_000])
def test_a_head_has_about_the_size_that_was_asked_for(
    fine_tunes: FineTunes, head_bytes: int
) -> None:
    made = sum(4 * math.prod(shape) for shape in fine_tunes.head_shapes(head_bytes).values())
    assert made == pytest.approx(head_bytes, rel=0.01)


def test_the_backbone_has_the_tensors_and_the_size_of_bert_base() -> None:
    shapes = bert_base_shapes()
    assert len(shapes) == 199
    assert sum(math.prod(shape) for shape in shapes.values()) == 109_482_240


def floor_of(tmp_path: Path, **tensors: NDArray[np.generic]) -> int:
    path = tmp_path / "floor.safetensors"
    save_file(tensors, path)
    return entropy_floor([path])


def test_the_floor_of_noise_is_its_length_and_that_of_a_constant_is_nothing(tmp_path: Path) -> None:
    every_byte = np.tile(np.arange(256, dtype=np.uint8), 16)
    assert floor_of(tmp_path, a=every_byte) == 4096
    assert floor_of(tmp_path, a=np.full(4096, 7.25, np.float32)) == 0


def test_the_floor_is_taken_per_byte_plane(tmp_path: Path) -> None:
    low_byte_varies = np.arange(256, dtype=np.uint32)
    two_values = np.array([0, 1] * 64, np.uint16)
    assert floor_of(tmp_path, a=low_byte_varies) == 256
    assert floor_of(tmp_path, a=two_values) == 128 / 8


def test_the_floor_is_taken_per_tensor_and_an_empty_one_needs_nothing(tmp_path: Path) -> None:
    zeros, ones = np.zeros(64, np.uint8), np.ones(64, np.uint8)
    assert floor_of(tmp_path, a=zeros, b=ones, c=np.zeros((0, 3), np.float32)) == 0


def test_what_models_share_counts_once(tmp_path: Path, fine_tunes: FineTunes) -> None:
    floor = TensorFloor()
    paths = [fine_tunes.write_model(tmp_path, (0, run), 400) for run in range(3)]
    floor.add(paths[0])
    one, one_floor = floor.unique_raw_bytes, floor.entropy_bytes
    floor.add(paths[0])
    assert (floor.unique_raw_bytes, floor.entropy_bytes) == (one, one_floor)
    head = sum(4 * math.prod(shape) for shape in fine_tunes.head_shapes(400).values())
    assert unique_raw_bytes(paths) == one + 2 * head
    assert one_floor < entropy_floor(paths) <= one_floor + 2 * head


def test_small_files_are_the_same_each_time_and_all_different(tmp_path: Path) -> None:
    for folder in "ab":
        write_small_files(tmp_path / folder, 1005)
    contents = {path.name: path.read_bytes() for path in (tmp_path / "a").rglob("*.txt")}
    assert contents == {path.name: path.read_bytes() for path in (tmp_path / "b").rglob("*.txt")}
    assert len(set(contents.values())) == 1005
    assert all(100 <= len(content) <= 4000 for content in contents.values())
    assert {path.parent.name for path in (tmp_path / "a").rglob("*.txt")} == {"000", "001"}


def test_a_change_changes_one_small_file(tmp_path: Path) -> None:
    write_small_files(tmp_path / "files", 20)
    before = {path: path.read_bytes() for path in (tmp_path / "files").rglob("*.txt")}
    change_small_file(tmp_path / "files", 7)
    changed = [path for path, content in before.items() if path.read_bytes() != content]
    assert changed == [small_file(tmp_path / "files", 7)]


def test_the_second_table_has_one_row_more_at_30_percent(tmp_path: Path) -> None:
    before, after = csv_pair(tmp_path, 1000)
    lines, more = before.read_text().splitlines(), after.read_text().splitlines()
    assert len(more) == len(lines) + 1
    assert more[:301] + more[302:] == lines
    assert more[301].startswith("-1,")


def test_inserting_a_row_keeps_the_schema() -> None:
    before = table(50)
    assert with_row_inserted(before).schema == before.schema


def test_files_are_weighed_once_however_many_names_they_have(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text(json.dumps("twelve"))
    (tmp_path / "b").hardlink_to(tmp_path / "folder" / "a")
    (tmp_path / "c").symlink_to(tmp_path / "b")
    assert bytes_of(tmp_path) == 8
