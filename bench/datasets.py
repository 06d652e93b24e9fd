"""Datasets: what is sent when a row is inserted, and a hundred thousand small files beside DVC."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.dataset_files import (
    FILES,
    change_small_file,
    csv_pair,
    parquet_pair,
    write_small_files,
)
from bench.figure import Figure
from bench.machine import scratch_folder
from bench.peers.dvc_peer import Dvc, running_dvc
from bench.peers.environment import peers_python
from bench.platform import running_platform
from hansard import Client
from hansard.tables import write_parquet

_CHANGES = 3


def run() -> Iterator[Figure]:
    """The figures of `datasets`."""
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder())
        platform = stack.enter_context(running_platform(scratch / "data", "local"))
        os.environ["HANSARD_CACHE_DIR"] = str(scratch / "cache")
        csv = csv_pair(scratch)
        yield _row(platform.client, "csv", csv)
        parquet = parquet_pair(scratch, write=write_parquet)
        yield _row(platform.client, "parquet", parquet)
        dvc = stack.enter_context(running_dvc(scratch / "dvc", peers_python()))
        yield from _small_files(platform.client, dvc)


def _row(client: Client, kind: str, pair: tuple[Path, Path]) -> Figure:
    """What the second file of a pair costs, as a share of its size; its name does not matter."""
    sent = [client.datasets.push(path, f"rows of {kind}").sent for path in pair]
    size = pair[1].stat().st_size
    note = f"{sent[1]:,} of {size:,} bytes"
    return Figure(f"datasets.{kind}_row_sent_share", sent[1] / size, "1", 1, None, None, note)


def _small_files(client: Client, dvc: Dvc) -> Iterator[Figure]:
    """Ours is kept by the server when the time is taken, DVC's is in its local cache."""
    folder = dvc.folder / "small"
    write_small_files(folder)
    _read_all(folder)
    theirs, ours = [dvc.add(folder)], [_pushed_s(client, folder)]
    for number in range(_CHANGES):
        change_small_file(folder, 1000 * number + 7)
        ours.append(_pushed_s(client, folder))
        theirs.append(dvc.add(folder))
    ratio = theirs[0] / ours[0]
    note = f"{ours[0]:.2f} s, DVC {theirs[0]:.2f} s"
    yield Figure("datasets.100k_files_add_vs_dvc", ratio, "x", 1, None, theirs[0], note)
    mine, other = median(ours[1:]), median(theirs[1:])
    note = f"{mine:.2f} s, DVC {other:.2f} s; {FILES:,} files, one of them changed"
    id_ = "datasets.100k_files_change_vs_dvc"
    yield Figure(id_, other / mine, "x", _CHANGES, None, other, note)
    shutil.rmtree(folder)


def _pushed_s(client: Client, folder: Path) -> float:
    start = perf_counter()
    client.datasets.push(folder, "small files")
    return perf_counter() - start


def _read_all(folder: Path) -> None:
    """Have the files in the page cache for everybody."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()
