"""The examples judged by their sources alone, as the platform does: what fits which executor."""

from functools import cache
from pathlib import Path

import pytest

from domain.signatures.extraction import Signature, extract
from domain.signatures.matching import Fit, Offer, match, roles_of_slot
from domain.signatures.sources import Sources
from hansard.formats.bundle import pack, read
from infra.shipped_roles import sdk_sources

EXAMPLES = Path(__file__).parents[2] / "examples"


@cache
def signature_of(bundle: str) -> Signature:
    contents = read(pack(EXAMPLES / bundle).data)
    kind = contents.manifest.kind.removeprefix("dataset_")
    return extract(Sources(contents.files, sdk_sources()), contents.manifest.entry, kind)


def fit(executor: str, slot: str, part: str) -> Fit:
    roles = roles_of_slot(signature_of(f"executors/{executor}"), slot)
    return match(roles, Offer.of(signature_of(part)))


TORCH = ("prune", "quantise", "export_onnx", "gradient_attack")


@pytest.mark.parametrize("executor", ["train", "finetune", "evaluate", *TORCH])
def test_a_torch_model_plays_every_role(executor: str) -> None:
    found = fit(executor, "model", "models/perceptron")
    assert found.verdict != "refused", found.reasons
    assert fit(executor, "data", "digits/loader").verdict != "refused"


@pytest.mark.parametrize("executor", ["finetune", *TORCH])
def test_nearest_neighbours_play_only_what_they_can(executor: str) -> None:
    assert fit("train", "model", "models/nearest_neighbours").verdict != "refused"
    found = fit(executor, "model", "models/nearest_neighbours")
    assert found.verdict == "refused"
    assert "no method" in found.reasons[0]


def test_a_slot_may_take_any_number_of_parts_or_none() -> None:
    slots = signature_of("executors/evaluate")["slots"]
    assert (slots["metrics"]["many"], slots["model"]["many"]) == (True, False)
    assert signature_of("executors/finetune")["slots"]["before"]["optional"]


def test_roles_of_a_bundles_own_tell_tables_from_examples() -> None:
    assert fit("anonymise", "data", "loaders/patients").verdict != "refused"
    assert fit("anonymise", "data", "loaders/iris").verdict == "refused"
    assert fit("train", "data", "loaders/patients").verdict == "refused"
