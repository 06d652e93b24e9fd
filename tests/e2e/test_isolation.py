"""A platform whose node is set to less than what is demanded, and one run that may go on there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.platform import PARTS, Up, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with (
        platform(tmp_path / "data", "local", HANSARD_SANDBOX="limits") as up,
        up.client() as client,
    ):
        client.push(PARTS / "ticker")
        yield up


def test_a_run_is_refused_where_the_node_cannot_isolate_it(up: Up) -> None:
    with up.client() as client:
        fine = client.wait(client.run("ticker", parameters={"points": 2}), timeout_s=60)
        assert (fine.status, fine.sandbox) == ("succeeded", "limits")
        asked = client.run("ticker", resources={"sandbox": "bubblewrap"})
        run = client.wait(asked, timeout_s=60)
    assert (run.status, run.sandbox) == ("failed", None)
    assert run.reason == "this node offers `limits`, policy demands `bubblewrap`"
