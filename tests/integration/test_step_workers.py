"""Steps with several workers: torch.distributed among them, and in a sandbox on a node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.node_box import Node, job, node
from tests.unit.step_box import Box

TOGETHER = """
import hansard, os, torch

class Job(hansard.Executor):
    def execute(self):
        torch.distributed.init_process_group("gloo")
        ranks = torch.tensor([float(os.environ["RANK"]) + 1])
        torch.distributed.all_reduce(ranks)
        torch.distributed.destroy_process_group()
        return {"sum": ranks.item()}
"""


@pytest.mark.slow
def test_torch_finds_all_workers(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    box = Box(tmp_path)
    path = box.bundle("job", job=TOGETHER)
    box.step |= {"workers": 2, "executor": {"path": path, "entry": "job:Job", "parameters": {}}}
    assert box.result() == {"sum": 3.0}


BODY = """
import os, socket
address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
if os.environ["RANK"] == "0":
    with socket.create_server(address) as server:
        connection, _ = server.accept()
        with connection:
            return {"heard": connection.recv(9).decode()}
import time
while True:
    try:
        with socket.create_connection(address) as connection:
            connection.sendall(b"rank one")
        return {}
    except ConnectionRefusedError:
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def box(tmp_path: Path, environments: Path) -> Iterator[Node]:
    with node(tmp_path, environments) as made:
        yield made


def test_workers_hear_each_other_in_their_sandbox(box: Node) -> None:
    end = box.run(box.spec(job(BODY.strip()), workers=2))
    assert (end["outcome"], end["results"].get("heard")) == ("succeeded", "rank one"), end
    body = "import os, time\nif os.environ['RANK'] == '1': raise ValueError('mine')\ntime.sleep(60)"
    end = box.run(box.spec(job(body), workers=2))
    assert (end["outcome"], end["reason"]) == ("failed", "ValueError: worker 1: mine")
