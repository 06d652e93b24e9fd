"""What a node tells of itself: labels from its settings, GPUs from NVML."""

from types import SimpleNamespace

import pynvml
import pytest
from pydantic import ValidationError

from infra.accelerators import Accelerator, accelerators
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
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: f"GPU {handle}",
        "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}{handle}",
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=80 << 30),
    }
    for name, answer in driver.items():
        monkeypatch.setattr(pynvml, name, answer)
    assert accelerators() == [
        Accelerator("GPU 0", 81920, "GPU-00", "580.1"),
        Accelerator("GPU 1", 81920, "GPU-11", "580.1"),
    ]
    assert node_resources().gpus == 2
