"""The same requirements locked for two accelerators by the real uv, from indexes of their own."""

import http.server
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

import infra.environments.locks
import infra.environments.store
from api.locks import Locks
from infra.environments.pip_settings import PipSettings
from infra.environments.store import EnvironmentStore, sdk_wheel
from infra.environments.variants import CPU
from infra.file_store import FileStore, open_files
from workers.environment import environment, facts

BUILDS = {"cpu": "", "cu130": "Requires-Dist: accelrt\n"}


def a_wheel(name: str, version: str, needs: str) -> tuple[bytes, bytes]:
    """A wheel and its metadata."""
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode()
    folder, data = f"{name}-{version}.dist-info", BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(f"{name}.py", f"build = {version!r}\n")
        file.writestr(f"{folder}/METADATA", about)
        file.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{folder}/RECORD", "")
    return data.getvalue(), about


class Index:
    """Serves an index for each variant, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        for variant, needs in BUILDS.items():
            self._add(variant, "accel", f"1.0+{variant}", needs)
        self._add("cu130", "accelrt", "13.0", "")

    def _add(self, variant: str, name: str, version: str, needs: str) -> None:
        wheel, about = a_wheel(name, version, needs)
        path = f"/{variant}/files/{name}-{version}-py3-none-any.whl"
        digest, of_about = sha256(wheel).hexdigest(), sha256(about).hexdigest()
        link = f'<a href="{path}#sha256={digest}" data-core-metadata="sha256={of_about}">'
        name_shown = path.rpartition("/")[2]
        self.pages[f"/{variant}/{name}/"] = f"<html><body>{link}{name_shown}</a>".encode()
        self.pages[path], self.pages[f"{path}.metadata"] = wheel, about

    def answer(self, path: str) -> bytes | None:
        path = path.replace("%2B", "+")
        self.asked.append(path)
        return self.pages.get(path)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for environments, with the SDK's wheel, built with what the real index has."""
    root = tmp_path_factory.mktemp("envs")
    sdk_wheel(root)
    return root


@pytest.fixture
def index(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    assert sdk_wheel(root).exists()
    index = Index()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = index.answer(self.path)
            self.send_response(404 if page is None else 200)
            kind = "text/html" if self.path.endswith("/") else "application/octet-stream"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(page or b"")))
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    settings = PipSettings(
        index=f"{base}/simple", variant_indexes={name: f"{base}/{name}" for name in BUILDS}
    )
    for module in (infra.environments.locks, infra.environments.store):
        monkeypatch.setattr(module, "pip_settings", lambda: settings)
    yield index
    server.shutdown()
    server.server_close()


def said(python: Path, code: str) -> str:
    return subprocess.check_output((str(python), "-c", code), text=True).strip()


def read(files: FileStore, digest: str) -> bytes:
    with files.open(digest) as file:
        return file.read()


async def test_each_node_gets_the_lock_of_its_variant_and_fetches_no_other_build(
    index: Index, root: Path, tmp_path: Path
) -> None:
    files = open_files("", tmp_path / "files")
    locks = Locks(root, files)
    digest = await locks.digest(["accel"], ("cu130", "cpu"))
    locked = json.loads(read(files, digest))["locks"]
    texts = {lock["variant"]: lock["text"] for lock in locked}
    assert "accel==1.0+cpu" in texts["cpu"]
    assert "accelrt" not in texts["cpu"]
    assert "accel==1.0+cu130" in texts["cu130"]
    assert "accelrt==13.0" in texts["cu130"]
    assert not [path for path in index.asked if path.endswith(".whl")]  # by metadata alone

    document = read(files, digest)
    with environment(root, digest, lambda: document, lambda _: None) as python:
        assert said(python, "import accel; print(accel.build)") == "1.0+cpu"
        assert facts(python)["variant"] == CPU
    fetched = [path for path in index.asked if path.endswith(".whl")]
    assert fetched == ["/cpu/files/accel-1.0+cpu-py3-none-any.whl"]

    with environment(root, digest, lambda: document, lambda _: None, 0, "cu130") as python:
        assert said(python, "import accel, accelrt; print(accel.build)") == "1.0+cu130"
    built = EnvironmentStore(root, sdk_wheel(root)).listed()
    assert {each.variant for each in built} == {"cpu", "cu130"}
    assert all(each.python.startswith(f"{sys.version_info.major}.") for each in built)


async def test_what_one_variant_lacks_is_left_out(index: Index, root: Path, tmp_path: Path) -> None:
    files = open_files("", tmp_path / "files")
    locks = Locks(root, files)
    digest = await locks.digest(["accelrt"], ("cpu", "cu130"))
    assert json.loads(read(files, digest))["variant"] == "cu130"
    with pytest.raises(infra.environments.locks.LockFailed, match="accelrt"):
        await locks.digest(["accelrt"], ("cpu",))
