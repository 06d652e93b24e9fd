"""SIGKILL of servers while an artifact is on its way: the client's retries converge, and all that
is committed is whole."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from hansard.artifacts.assembling import assemble, local_files
from hansard.artifacts.cache import Cache
from hansard.artifacts.layout import fetch_layout
from hansard.artifacts.link import Link
from hansard.artifacts.pulling import pull
from hansard.artifacts.uploading import PACK_BYTES, Committed, Upload
from hansard.formats.packs import read_frames
from tests.e2e.platform import Up, alive_of, eventually, platform
from tests.integration.store_box import weights

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MB = 1 << 20


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with platform(tmp_path_factory.mktemp("artifact-kills") / "data", "local") as up:
        yield up


@pytest.fixture
def link(up: Up) -> Iterator[Link]:
    link = Link(up.url, up.token, patience_s=90)
    yield link
    link.close()


def a_model(link: Link) -> str:
    return str(link.json("POST", "/v1/models", {"name": f"model {uuid4().hex[:10]}"})["id"])


def upload(link: Link, place: Path, model: str, **more: Any) -> Committed:
    return Upload(link, assemble(local_files(place), None), **more).run(model)


def check_whole(up: Up, link: Link, place: Path, kept: Committed, folder: Path) -> None:
    """What was uploaded comes back, and every other artifact of the record is readable."""
    cache = Cache(folder / "cache")
    pull(link, kept.id, fetch_layout(link, kept.id, cache), cache, folder / "files").join()
    assert (folder / "files" / place.name).read_bytes() == place.read_bytes()
    for artifact in committed(up):
        layout = fetch_layout(link, artifact, cache)
        pieces = [p.name for part in layout.parts().values() for p in layout.pieces(part)]
        for at in range(0, len(pieces), 500):
            names = pieces[at : at + 500]
            answer = link.ask("POST", f"/v1/artifacts/{artifact}/get", [b"".join(names)])
            for frame in read_frames(answer):
                frame.content()
    assert up.command("audit", "verify")["intact"]


def committed(up: Up) -> list[str]:
    """Every artifact of the record."""
    events = up.get("/v1/events", limit=500)["items"]
    return [e["entity"] for e in events if e["topic"] == "artifact.committed.v1"]


def at(bytes_: int, act: Callable[[], object]) -> Callable[[int], None]:
    """Progress that acts once, when so much has arrived."""
    seen, rest, lock = 0, [act], threading.Lock()

    def count(more: int) -> None:
        nonlocal seen
        with lock:
            seen += more
            if seen >= bytes_ and rest:
                rest.pop()()

    return count


@pytest.mark.parametrize("when_mb", [16, 64], ids=["in the middle", "before the commit"])
@pytest.mark.parametrize(
    "words",
    [("api.main",), ("postgres", "-D"), ("nats-server",)],
    ids=["api", "postgres", "nats-server"],
)
def test_an_upload_outlives_a_killed_server(
    up: Up, link: Link, tmp_path: Path, words: tuple[str, ...], when_mb: int
) -> None:
    place, model = weights(tmp_path / "file", 64), a_model(link)
    victim = up.find(*words)
    kept = upload(link, place, model, on_progress=at(when_mb * MB, victim.kill))
    eventually(lambda: not alive_of([victim]), "its end")
    assert up.find(*words).pid != victim.pid
    check_whole(up, link, place, kept, tmp_path)


def test_an_upload_outlives_a_server_that_is_killed_again_and_again(
    up: Up, link: Link, tmp_path: Path
) -> None:
    """At moments of no choosing: in a pack, behind its rename, in the index, in the commit."""
    place, model = weights(tmp_path / "file", 96), a_model(link)
    over, kills = threading.Event(), 0

    def kill() -> None:
        nonlocal kills
        while not over.wait(0.7 if kills else 0.1) and kills < 6:
            try:
                up.find("api.main").kill()
            except (psutil.Error, AssertionError):
                continue
            kills += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        kept = upload(link, place, model)
    finally:
        over.set()
        killer.join()
    assert kills >= 1
    check_whole(up, link, place, kept, tmp_path)


class Alternating(Link):
    """Requests go to each of several servers in turn."""

    def __init__(self, *links: Link) -> None:
        super().__init__("http://127.0.0.1:1", "")
        self._turn = itertools.cycle(links)

    def take(self, *asked: Any, **more: Any) -> Any:
        """Ask the next one."""
        return next(self._turn).take(*asked, **more)


@contextmanager
def another_api(up: Up) -> Iterator[str]:
    """The address of a second API process on the same servers and folder."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    environment = json.loads((up.folder / "server.json").read_text()) | {"HANSARD_PORT": port}
    process = subprocess.Popen(
        [sys.executable, "-m", "api.main"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_two_servers_share_one_store(up: Up, link: Link, tmp_path: Path) -> None:
    place, model = weights(tmp_path / "file", 64), a_model(link)
    with another_api(up) as url:
        other = Link(url, up.token, patience_s=60)
        kept = upload(Alternating(link, other), place, model)
        again = upload(other, place, model)
        assert again.root == kept.root
        assert again.sent == 0
        check_whole(up, other, place, kept, tmp_path)
        other.close()


def test_a_large_upload_needs_little_memory(up: Up, link: Link, tmp_path: Path) -> None:
    place = weights(tmp_path / "large", 1024)
    command = [sys.executable, "-m", "tests.e2e.heavy_upload", up.url, up.token, a_model(link)]
    done = subprocess.run([*command, place], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["sent"] >= 1 << 30
    assert told["peak_mb"] < 300
    listed = link.json("GET", f"/v1/artifacts/{told['id']}/files")["items"]
    assert [item["size"] for item in listed] == [place.stat().st_size]


def test_a_disk_that_an_upload_fills_refuses_and_goes_on_once_there_is_room(
    tmp_path: Path,
) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk of one's own")
    disk, place = tmp_path / "disk", tmp_path / "client"
    disk.mkdir()
    place.mkdir()
    command = [unshare, "-m", sys.executable, "-m", "tests.e2e.full_disk_upload"]
    done = subprocess.run(
        [*command, disk, place], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["refused"] == [507, "storage-full"]
    assert 0 < found["sent_before"] < 320 * MB
    assert found["sent_after"] <= 321 * MB - found["sent_before"] + PACK_BYTES
    assert found["reads_go_on"]
    assert found["equal"]
    assert found["intact"]
