"""Table 2: a hundred fine-tunes of one backbone, beside MLflow and DVC on the same files.

Rounds are interleaved: each has a new backbone, so that first uploads are first uploads, and asks
the machine (`cp`, with and without fsync), us, MLflow and DVC in turn. Peers keep the settings in
which they were fastest here: MLflow one gunicorn worker with threads, DVC copies.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.figure import Figure
from bench.machine import scratch_folder
from bench.peers.dvc_peer import Dvc, Pushed, running_dvc
from bench.peers.environment import peers_python
from bench.peers.machine_floor import cp_fsync_s, cp_s, filled_page_cache
from bench.peers.mlflow_peer import Mlflow, running_mlflow
from bench.peers.mlflow_peer import Upload as Uploaded
from bench.platform import Platform, running_platform, until_cached
from bench.table2_disk import disk_figures
from bench.table2_memory import memory_figure
from bench.table2_models import HEAD_BYTES, FineTunes, minilm_path
from hansard import Version, load_model
from hansard.artifacts.assembling import assemble, local_files
from hansard.artifacts.link import Link
from hansard.artifacts.uploading import Committed, Upload

_ROUNDS = 4
_NEXT = 3
_HEAD = HEAD_BYTES[1]

Seconds = dict[str, list[float]]


def run() -> Iterator[Figure]:
    """The figures of `table2`."""
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder())
        python = peers_python()
        platform = stack.enter_context(running_platform(scratch / "data", "local"))
        mlflow = stack.enter_context(running_mlflow(scratch / "mlflow", python))
        dvc = stack.enter_context(running_dvc(scratch / "dvc", python))
        stack.enter_context(filled_page_cache(scratch))
        import_module("torch")  # which takes longer than what is measured
        rounds = Rounds(Ours(platform, scratch), mlflow, dvc, scratch)
        for seed in range(_ROUNDS):
            rounds.run(FineTunes(seed=seed))
        yield from speed_figures(rounds.taken)
        rounds.small(minilm_path())
        yield from small_figures(rounds.taken)
    yield from disk_figures()
    yield memory_figure()


class Ours:
    """What a user of ours does, timed; each folder and cache that is asked for is a new one."""

    def __init__(self, platform: Platform, scratch: Path) -> None:
        self._client = platform.client
        self._scratch = scratch
        self._model = platform.client.models.create("bert").id
        self._made = 0
        self._link = Link(str(platform.http.base_url), platform.token)

    def upload(self, path: Path, like: Sequence[str] = ()) -> tuple[Committed, float]:
        """Keep a file as an artifact; the client has never seen the file."""
        start = perf_counter()
        upload = Upload(self._link, assemble(local_files(path), None), like)
        committed = upload.run(self._model)
        return committed, perf_counter() - start

    def publish(self, path: Path) -> tuple[Version, float]:
        """Upload a file and publish it as the next version of a model."""
        start = perf_counter()
        version = self._client.models.push(path, "bert", remember=False)
        return version, perf_counter() - start

    def pull(self, version: Version) -> float:
        """Get the files into a new folder, which is removed once the cache has its copy."""
        folder = self._new_place("pulled")
        start = perf_counter()
        self._client.models.pull(version.id, folder)
        taken = perf_counter() - start
        until_cached()
        shutil.rmtree(folder)
        return taken

    def load(self, version: Version) -> float:
        """Map the tensors."""
        start = perf_counter()
        tensors = load_model(version.id, client=self._client)
        assert len(tensors) > 200
        return perf_counter() - start

    def new_cache(self) -> None:
        """Work with an empty cache from now on."""
        shutil.rmtree(os.environ.get("HANSARD_CACHE_DIR", self._scratch / "none"), True)
        os.environ["HANSARD_CACHE_DIR"] = str(self._new_place("cache"))

    def _new_place(self, name: str) -> Path:
        self._made += 1
        return self._scratch / f"{name}-{self._made}"


@dataclass(slots=True)
class Rounds:
    """Interleaved rounds; `taken` has the seconds of each step."""

    ours: Ours
    mlflow: Mlflow
    dvc: Dvc
    scratch: Path
    taken: Seconds = field(default_factory=dict)

    def run(self, models: FineTunes) -> None:
        """First upload, some next ones, downloads: one backbone, all of us."""
        first = models.write_model(self.scratch / "models", (0, 0), _HEAD)
        first.read_bytes()
        kept, ours_s = self.ours.upload(first)
        uploaded, pushed = self.mlflow.upload(first), self.dvc.upload(first)
        self._note(cp=cp_s(first, self.scratch), cp_fsync=cp_fsync_s(first, self.scratch))
        self._note(first=ours_s, first_mlflow=uploaded.seconds, first_dvc=pushed.seconds)
        for number in range(1, _NEXT + 1):
            self._next(models, number, kept.id)
        self._downloads(models, first, uploaded, pushed)
        first.unlink()

    def _next(self, models: FineTunes, number: int, like: str) -> None:
        path = models.write_model(self.scratch / "models", (0, number), _HEAD)
        path.read_bytes()
        _, ours_s = self.ours.upload(path, [like])
        self._note(cp_fsync=cp_fsync_s(path, self.scratch), next=ours_s)
        self._note(next_mlflow=self.mlflow.upload(path).seconds)
        self._note(next_dvc=self.dvc.upload(path).seconds)
        path.unlink()

    def _downloads(
        self, models: FineTunes, first: Path, uploaded: Uploaded, pushed: Pushed
    ) -> None:
        version, _ = self.ours.publish(first)
        path = models.write_model(self.scratch / "models", (1, 0), _HEAD)
        newest, publish_s = self.ours.publish(path)
        path.unlink()
        self.ours.new_cache()
        self._note(publish=publish_s, cold=self.ours.pull(version))
        self._note(cold_mlflow=self.mlflow.download(uploaded, self.scratch / "mlflow-out"))
        self._note(cold_dvc=self.dvc.pull(pushed, self.scratch / "dvc-out"))
        self._note(cp=cp_s(first, self.scratch), warm=self.ours.pull(version))
        self._note(cp=cp_s(first, self.scratch), tensors=self.ours.load(newest))
        for name in ("mlflow-out", "dvc-out"):
            shutil.rmtree(self.scratch / name, ignore_errors=True)

    def small(self, path: Path) -> None:
        """The real model of 91 MB, uploaded once by everybody."""
        _, ours_s = self.ours.upload(path)
        self._note(small_mlflow=self.mlflow.upload(path).seconds, small=ours_s)
        self._note(small_dvc=self.dvc.upload(path).seconds)
        self._note(small_cp_fsync=cp_fsync_s(path, self.scratch))

    def _note(self, **seconds: float) -> None:
        for name, taken in seconds.items():
            self.taken.setdefault(name, []).append(taken)


def speed_figures(taken: Seconds) -> Iterator[Figure]:
    """Ratios of medians; floors and peers in seconds."""
    s = {name: median(values) for name, values in taken.items()}
    n = _ROUNDS
    synced, plain = s["cp_fsync"], s["cp"]
    note = f"{s['first']:.3f} s; MLflow {s['first_mlflow']:.3f}, DVC {s['first_dvc']:.3f}"
    best = min(s["first_mlflow"], s["first_dvc"])
    yield Figure(
        "table2.first_upload_over_cp_fsync", s["first"] / synced, "x", n, synced, best, note
    )
    yield Figure("table2.first_upload_vs_best_peer", best / s["first"], "x", n, synced, best, note)
    note = f"{s['next']:.3f} s; MLflow {s['next_mlflow']:.3f}, DVC {s['next_dvc']:.3f}"
    m = n * _NEXT
    yield Figure("table2.next_upload_over_cp_fsync", s["next"] / synced, "x", m, synced, None, note)
    for peer in ("mlflow", "dvc"):
        theirs = s[f"next_{peer}"]
        id_ = f"table2.next_upload_vs_{peer}"
        yield Figure(id_, theirs / s["next"], "x", m, synced, theirs, note)
    best = min(s["cold_mlflow"], s["cold_dvc"])
    note = f"{s['cold']:.3f} s; MLflow {s['cold_mlflow']:.3f}, DVC {s['cold_dvc']:.3f}"
    yield Figure("table2.cold_download_over_cp", s["cold"] / plain, "x", n, plain, best, note)
    yield Figure("table2.cold_download_vs_best_peer", best / s["cold"], "x", n, plain, best, note)
    note = f"{s['warm']:.3f} s, checked against the names of its pieces"
    yield Figure("table2.warm_file_over_cp", s["warm"] / plain, "x", n, plain, None, note)
    published = s["publish"]
    yield Figure("table2.next_version_s", published, "s", n, synced, None, "published as a version")
    note = "head not cached, nothing read yet, questions to the server included"
    yield Figure("table2.warm_tensors_ms", 1000 * s["tensors"], "ms", n, None, None, note)


def small_figures(taken: Seconds) -> Iterator[Figure]:
    """The same for the real 91 MB; no bound is set for it."""
    s = {name: values[0] for name, values in taken.items() if name.startswith("small")}
    best = min(s["small_mlflow"], s["small_dvc"])
    floor = s["small_cp_fsync"]
    yield Figure("table2.minilm_first_upload_s", s["small"], "s", 1, floor, best)
