"""Which GPUs a step is given: those of its backend, by identity, and their device files only."""

from pathlib import Path

import pytest

from workers.sandbox.devices import Gpu, granted, known, visible_gpus

ONE, TWO = Gpu("GPU-1111", "/dev/nvidia1"), Gpu("GPU-2222", "/dev/nvidia0")


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    for place, gpu in (("0000:01:00.0", ONE), ("0000:02:00.0", TWO)):
        (tmp_path / place).mkdir()
        text = (
            f"Model: \t\t NVIDIA H100\nGPU UUID: \t {gpu.uuid}\n"
            f"Device Minor: \t {gpu.device[-1]}\nGPU Excluded:\t No\n"
        )
        (tmp_path / place / "information").write_text(text)
    (tmp_path / "0000:03:00.0").mkdir()
    (tmp_path / "0000:03:00.0" / "information").write_text("Model: unknown\n")
    return tmp_path


def test_gpus_are_known_in_the_order_of_the_bus(driver: Path) -> None:
    assert known(driver) == [ONE, TWO]
    assert known(driver / "none") == []


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [ONE, TWO]),
        ("", []),
        ("1", [TWO]),
        ("GPU-1111", [ONE]),
        ("0, GPU-2222", [ONE, TWO]),
        ("7,GPU-x", []),
    ],
)
def test_those_that_were_named_are_granted(visible: str | None, expected: list[Gpu]) -> None:
    assert granted(visible, [ONE, TWO]) == expected


def test_a_step_that_asked_for_none_sees_none() -> None:
    assert visible_gpus(0, {"CUDA_VISIBLE_DEVICES": "0"}) == ""


def test_devices_of_an_unknown_driver_are_left_as_the_backend_named_them() -> None:
    assert visible_gpus(1, {"CUDA_VISIBLE_DEVICES": "MIG-x"}) == "MIG-x"
