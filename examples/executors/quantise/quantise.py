"""Store a network's weights in 16 bits, or in 8 with a scale for each output, and measure it."""

import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import hansard

_SCALE = ".scale"
_State = dict[str, torch.Tensor]


class Quantise(hansard.Executor):
    """The file `quantised.safetensors` is logged; the model becomes what that file says.

    Weights alone are quantised: what computes with them widens them again.
    """

    model: hansard.Slot[hansard.All[hansard.HasTorchModule, hansard.Predictor]]
    data: hansard.Slot[hansard.SupervisedData]

    def execute(self, to: Literal["int8", "float16"] = "int8") -> dict[str, float]:
        """Accuracies on the split "test" and sizes of the weights in bytes, before and after."""
        test = self.data.load()["test"]
        module = self.model.torch_module()
        before = {name: each.detach().clone() for name, each in module.state_dict().items()}
        results = {"accuracy_before": self._accuracy(test), "bytes_before": _size(before)}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "quantised.safetensors"
            save_file(_int8(module, before) if to == "int8" else _float16(before), path)
            hansard.log_file(path)
            small = load_file(path)
        wide = widened(small)
        module.load_state_dict(wide)
        return results | {
            "accuracy": self._accuracy(test),
            "bytes": _size(small),
            "largest_error": max(float((wide[n] - before[n]).abs().max()) for n in before),
        }

    def _accuracy(self, data: hansard.Examples) -> float:
        return float((np.asarray(self.model.predict(data.inputs)) == data.targets).mean())


def widened(state: _State) -> _State:
    """The weights that a quantised file stands for, in 32 bits where they were floats."""
    return {
        name: value.float() * state[name + _SCALE] if name + _SCALE in state else _as_float(value)
        for name, value in state.items()
        if not name.endswith(_SCALE)
    }


def _int8(module: nn.Module, state: _State) -> _State:
    """Matrices and kernels as whole numbers from -127 to 127 times a scale for each output."""
    weights = {f"{name}.weight".lstrip(".") for name, _ in module.named_modules()}
    found: _State = {}
    for name, value in state.items():
        if name not in weights or value.dim() < 2 or not value.is_floating_point():
            found[name] = value
            continue
        scale = value.abs().amax(dim=tuple(range(1, value.dim())), keepdim=True) / 127
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        found[name] = torch.round(value / scale).to(torch.int8)
        found[name + _SCALE] = scale
    return found


def _float16(state: _State) -> _State:
    found = {name: v.half() if v.is_floating_point() else v for name, v in state.items()}
    for name, value in found.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise ValueError(f"`{name}` holds numbers that 16 bits cannot")
    return found


def _as_float(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value


def _size(state: _State) -> int:
    return sum(value.nbytes for value in state.values())
