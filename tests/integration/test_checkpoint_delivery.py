"""Checkpoints reach those who keep them elsewhere: in order, once each, and no forged ones."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from hansard.sources.errors import AddressRefused, SourceUnavailable
from infra.audit.checkpoint import SignedCheckpoint
from infra.audit.keyring import KeyRing
from infra.settings import Settings
from tests.contract.s3_server import a_place, s3_server
from tests.unit.audit_box import KEY, OTHER, THIEF, a_log, sealed
from workers.checkpoint_delivery import Delivery, FileOutlet, outlets_of


class _Ledger:
    """The ledger of a record in memory."""

    def __init__(self) -> None:
        self.seal = sealed(a_log(), (10,))

    def read_after(self, position: int, limit: int, subjects: str) -> list[object]:
        return list(self.seal.ledger[position : position + limit])


class _Receiver(http.server.BaseHTTPRequestHandler):
    got: ClassVar[list[tuple[str, str | None, str]]] = []
    answers: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status = self.answers.pop(0) if self.answers else 204
        if status < 300:
            self.got.append((self.path, self.headers["Authorization"], body))
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiver() -> Iterator[str]:
    _Receiver.got.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def deliver(address: str, ledger: _Ledger, folder: Path, **settings: object) -> int:
    """As a process does that has just started."""
    given = Settings.model_validate({"audit_outlets": address, **settings})
    ((name, outlet),) = outlets_of(given).items()
    delivery = Delivery(name, outlet, folder / "audit", KeyRing(folder))
    return delivery.deliver(ledger)  # type: ignore[arg-type] # all that is read of it


def notes(place: Path) -> list[str]:
    return [path.read_text() for path in sorted((place / "checkpoints").iterdir())]


def test_a_folder_gets_a_file_for_each_genuine_checkpoint_once(tmp_path: Path) -> None:
    ledger, place = _Ledger(), tmp_path / "elsewhere"
    assert deliver(str(place), ledger, tmp_path) == 1
    genuine = ledger.seal.last
    ledger.seal.to(15, THIEF)
    ledger.seal.put(b"no checkpoint")
    ledger.seal.last = genuine
    ledger.seal.to(15, KEY, OTHER, key=OTHER.public)
    ledger.seal.to(20, OTHER)
    assert deliver(str(place), ledger, tmp_path) == 2
    assert deliver(str(place), ledger, tmp_path) == 0
    found = [SignedCheckpoint.parse(text) for text in notes(place)]
    assert [each.said.size for each in found] == [10, 15, 20]
    assert found[-1] == ledger.seal.last
    (state,) = (tmp_path / "audit").iterdir()
    state.unlink()  # it begins anew, and overwrites nothing
    assert deliver(str(place), ledger, tmp_path) == 3
    assert len(notes(place)) == 3


def test_a_bucket_gets_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as variables:
        address = a_place(variables, monkeypatch)
        ledger = _Ledger()
        assert deliver(address, ledger, tmp_path) == 1
        outlet = FileOutlet(address)
        assert ledger.seal.last is not None
        outlet.hand_over(ledger.seal.last)
        assert outlet._storage is not None
        ((key, _, _),) = outlet._storage.keys("checkpoints/")
        assert outlet._storage.read(key).decode() == str(ledger.seal.last.note)


def test_a_server_is_sent_each_note_with_the_token_until_it_takes_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("open sesame\n")
    ledger = _Ledger()
    ledger.seal.to(20)
    with receiver() as url:
        address, more = f"{url}/hook?key=s", {"audit_token_file": token, "audit_private": True}
        with pytest.raises(AddressRefused):
            deliver(address, ledger, tmp_path)  # neither TLS nor a public address
        _Receiver.answers[:] = [503]
        with pytest.raises(SourceUnavailable):
            deliver(address, ledger, tmp_path, **more)
        _Receiver.answers[:] = [204, 302]
        with pytest.raises(AddressRefused):
            deliver(address, ledger, tmp_path, **more)
        assert deliver(address, ledger, tmp_path, **more) == 1
        assert Delivery(address, FileOutlet(""), tmp_path, KeyRing(tmp_path)).name == (
            "http://127.0.0.1"
        )
    assert [(path, auth) for path, auth, _ in _Receiver.got] == [
        ("/hook?key=s", "Bearer open sesame")
    ] * 2
    sizes = [SignedCheckpoint.parse(body).said.size for _, _, body in _Receiver.got]
    assert sizes == [10, 20]


def test_an_outlet_is_a_place_that_can_be_meant() -> None:
    for bad in ("relative/folder", "ftp://x", "gs://bucket"):
        with pytest.raises(ValueError, match="an outlet is"):
            Settings.model_validate({"audit_outlets": bad})
