"""Write a network as ONNX, for whatever runs it later, and check that it answers the same there."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

import hansard


class ExportOnnx(hansard.Executor):
    """The file `model.onnx` is logged: input `inputs`, output `scores`, any number of examples."""

    model: hansard.Slot[hansard.HasTorchModule]
    data: hansard.Slot[hansard.SupervisedData]

    def execute(self, tolerance: float = 1e-4, split: str = "test") -> dict[str, float]:
        """Fails if an answer of onnxruntime is further than `tolerance` from that of torch."""
        inputs = torch.as_tensor(self.data.load()[split].inputs)
        module = self.model.torch_module().eval()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            _export(module, inputs[:2], path)
            onnx.checker.check_model(path, full_check=True)
            difference = _difference(module, inputs, path)
            if not difference <= tolerance:
                raise ValueError(f"onnxruntime is {difference:.3g} off, more than {tolerance:g}")
            hansard.log_file(path)
            return {
                "examples": len(inputs),
                "largest_difference": difference,
                "bytes": path.stat().st_size,
                "opset": max(each.version for each in onnx.load(path).opset_import),
            }


def _export(module: torch.nn.Module, examples: torch.Tensor, path: Path) -> None:
    torch.onnx.export(
        module,
        (examples,),
        path,
        dynamo=True,
        external_data=False,
        input_names=["inputs"],
        output_names=["scores"],
        dynamic_shapes=({0: torch.export.Dim("examples")},),
        verbose=False,
    )


@torch.no_grad()
def _difference(module: torch.nn.Module, inputs: torch.Tensor, path: Path) -> float:
    """The largest between scores of torch and of onnxruntime; NaN if those are not finite."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    [scores] = session.run(["scores"], {"inputs": inputs.numpy()})
    return float(np.abs(scores - module(inputs).numpy()).max())
