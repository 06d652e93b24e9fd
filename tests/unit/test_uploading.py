"""The order in which objects of an artifact are sent."""

import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hansard.artifacts.assembling import assemble, local_files
from hansard.artifacts.link import Buffer, Link
from hansard.artifacts.uploading import Upload
from hansard.client_errors import Unreachable
from hansard.formats.objects import Kind
from hansard.formats.packs import read_frames


class Platform(Link):
    """Lacks everything; a large pack is lost once all the others have had time."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "")
        self.kinds: set[Kind] = set()
        self._others = threading.Event()
        self._first = True

    def ask(self, method: str, path: str, parts: Sequence[Buffer] = (), **_: Any) -> bytes:
        body = b"".join(parts)
        if path.endswith("/missing"):
            return bytes(len(body) // 32)
        if self._first and len(body) > 8 << 20:
            self._first = False
            self._others.wait(0.5)
            raise Unreachable("the connection was cut off")
        self.kinds |= {frame.kind for frame in read_frames(body)}
        return b""


def test_no_node_arrives_before_what_it_names(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.bin").write_bytes(random.Random(number).randbytes(11 << 20))
    platform = Platform()
    with pytest.raises(Unreachable):
        Upload(platform, assemble(local_files(tmp_path), None)).run("model-1")
    assert platform.kinds == {Kind.PIECE}
