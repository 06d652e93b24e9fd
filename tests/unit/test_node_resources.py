"""What a node tells of itself: labels from its settings, GPUs from NVML."""

from types import SimpleNamespace

import pynvml
import pytest
from pydantic import ValidationError

from infra.accelerators import Accelerator, Usage, accelerators, usage_of
from infra.node_labels import parse_labels
from infra.node_resources import node_resources
from infra.settings import Settings


def test_labels_are_read_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANSARD_NODE_LABELS", "pool=a100, zone=eu-1,")
    assert Settings().labels == {"pool": "a100", "zone": "eu-1"}


def test_a_node_has_no_labels_unless_they_are_given() -> None:
    assert parse_labels("") == {}


@pytest.mark.parametrize(
    "text",
    ["pool", "pool=", "=a", "Pool=a", "pool=a b", "pool=a=b", "pool=a,pool=b", f"a={'x' * 64}"],
)
def test_settings_with_labels_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Settings(node_labels=text)


def test_a_node_has_a_bounded_number_of_labels() -> None:
    with pytest.raises(ValueError, match="at most 32"):
        parse_labels(",".join(f"k{n}=v" for n in range(33)))


def test_without_a_driver_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    assert accelerators() == []
    assert node_resources().gpus == 0
    assert node_resources(gpus=2).gpus == 2


def test_gpus_are_told_as_the_driver_numbers_them(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "580.1",
        "nvmlSystemGetCudaDriverVersion_v2": lambda: 12090,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: f"GPU {handle}",
        "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}{handle}",
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=80 << 30),
    }
    for name, answer in driver.items():
        monkeypatch.setattr(pynvml, name, answer)
    assert accelerators() == [
        Accelerator("GPU 0", 81920, "GPU-00", "580.1", "12.9"),
        Accelerator("GPU 1", 81920, "GPU-11", "580.1", "12.9"),
    ]
    assert node_resources().gpus == 2


def test_a_gpu_is_counted_for_the_processes_that_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gib = 1 << 30
    running: list[dict[int, int | None]] = [{7: gib, 8: 2 * gib, 9: None}, {99: gib}]
    samples = [(7, 1, 90), (7, 2, 30), (8, 1, 20), (99, 1, 50)]
    driver = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
            SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in running[handle].items()
        ],
        "nvmlDeviceGetProcessUtilization": lambda *_: [
            SimpleNamespace(pid=pid, timeStamp=at, smUtil=percent) for pid, at, percent in samples
        ],
    }
    for name, answer in driver.items():
        monkeypatch.setattr(pynvml, name, answer)
    assert usage_of({7, 8, 9}) == [Usage(index=0, percent=50.0, memory_mb=3072.0)]
    assert usage_of({1}) == []


def test_a_gpu_without_samples_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    driver = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetComputeRunningProcesses": lambda _: [
            SimpleNamespace(pid=7, usedGpuMemory=1 << 20)
        ],
        "nvmlDeviceGetProcessUtilization": refuse,
    }
    for name, answer in driver.items():
        monkeypatch.setattr(pynvml, name, answer)
    assert usage_of({7}) == [Usage(index=0, percent=0.0, memory_mb=1.0)]
