"""Datasets in and out: any data as a version, its profile awaited, two versions compared."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from hansard.artifacts.layout import Layout, fetch_layout
from hansard.artifacts.link import Link
from hansard.artifacts.transfer import Progress, fetch_into, open_cache
from hansard.client import content, reference
from hansard.client.content import Linked, Publication, over, stored
from hansard.client.content_results import DatasetDiff, FileChange
from hansard.client.effect import Flow, Pause, Work
from hansard.client.results import Pushed, Version
from hansard.client.session import Session
from hansard.dataset_files import Prepared, prepare
from hansard.formats.objects import File
from hansard.tables.diff import diff as table_diff

Data: TypeAlias = Any
"""A path, several, an address, a table, or several by name."""

_KIND = ("dataset",)
_TABLES = (".parquet", ".pq", ".arrow", ".feather", ".arrows", ".csv", ".tsv", ".jsonl", ".ndjson")
_FIRST_POLL_S = 0.2
_LONGEST_POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class Given:
    """Data as somebody gives it, and how it is to be kept."""

    data: Data
    by_reference: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def push(session: Session, linked: Linked, wish: Publication, given: Given) -> Flow[Pushed]:
    """The version that the data is now."""
    with tempfile.TemporaryDirectory(prefix="hansard-") as folder:
        prepared: Prepared = yield Work(
            partial(
                prepare,
                given.data,
                Path(folder),
                by_reference=given.by_reference,
                options=given.options,
                told=wish.on_progress,
            )
        )
        filled = replace(
            wish,
            files=prepared.files,
            details={**wish.details, **prepared.details},
            remember=not prepared.temporary,
        )
        return (yield from content.publish(session, linked, filled))


def whole(session: Session, ref: str) -> Flow[Version]:
    """All that is known of a version."""
    row = yield from reference.version_row(session, _KIND, ref)
    answer = yield from session.get(f"/v1/versions/{row['id']}")
    return Version.model_validate(answer)


def settle(session: Session, ref: str, timeout_s: float | None) -> Flow[Version]:
    """The version once it was profiled and checked. Raises TimeoutError."""
    version = yield from whole(session, ref)
    holder = yield from session.get(f"/v1/datasets/{version.abstraction}")
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    poll_s = _FIRST_POLL_S
    while not _settled(version, expected=holder.get("expectations") is not None):
        if deadline is not None and time.monotonic() + poll_s > deadline:
            raise TimeoutError(f"{version.id} has not been looked into after {timeout_s:g} s")
        yield Pause(poll_s)
        poll_s = min(_LONGEST_POLL_S, poll_s * 1.5)
        version = yield from whole(session, version.id)
    return version


def _settled(version: Version, *, expected: bool) -> bool:
    if version.mode == "reference" or version.profile_error is not None:
        return True  # there is nothing to look into, or it cannot be read
    return version.profile is not None and (version.quality is not None or not expected)


def diff(
    session: Session,
    linked: Linked,
    refs: tuple[str, str],
    key: Sequence[str],
    on_progress: Progress | None,
) -> Flow[DatasetDiff]:
    """How two versions differ, with what must be fetched for it."""
    rows = []
    for ref in refs:
        rows += [(yield from reference.version_row(session, _KIND, ref))]
    layouts = yield over(linked, partial(_layouts, rows))
    found = _compare(rows, layouts)
    chosen = _tables(found, layouts)
    if chosen is None:
        return found
    with tempfile.TemporaryDirectory(prefix="hansard-") as folder:
        compare = partial(_compare_tables, rows, chosen, Path(folder), key, on_progress)
        told = yield over(linked, compare)
    return found.model_copy(update={"tables": told["diff"], "examples": told["examples"]})


def _layouts(rows: Sequence[Mapping[str, Any]], link: Link) -> list[Layout]:
    cache = open_cache()
    places = map(content.artifact_of, rows)
    return [fetch_layout(link, artifact, cache, root) for artifact, root in places]


def _compare(rows: Sequence[Mapping[str, Any]], layouts: Sequence[Layout]) -> DatasetDiff:
    before, after = ({file.path: stored(file) for file in each.files} for each in layouts)
    changed = [
        FileChange(path=path, before=old, after=after[path])
        for path, old in before.items()
        if path in after and old.digest != after[path].digest
    ]
    return DatasetDiff(
        before=rows[0]["id"],
        after=rows[1]["id"],
        added=tuple(file for path, file in after.items() if path not in before),
        removed=tuple(file for path, file in before.items() if path not in after),
        changed=tuple(changed),
        unchanged=len(before.keys() & after.keys()) - len(changed),
    )


def _tables(found: DatasetDiff, layouts: Sequence[Layout]) -> tuple[set[str], set[str]] | None:
    """Paths of the tables that differ in each version; None if nothing is to be compared.

    Where one version has none of its own, the smallest table of both stands for its columns.
    """
    changed = {change.path for change in found.changed}
    sides = (
        {file.path for file in found.removed} | changed,
        {file.path for file in found.added} | changed,
    )
    before, after = (set(filter(_is_table, side)) for side in sides)
    if not before and not after:
        return None
    if not before or not after:
        same = [file for file in layouts[0].files if _is_table(file.path)]
        shared = {file.path for file in layouts[1].files} - changed
        common = [file for file in same if file.path in shared]
        if not common:
            return None
        stand_in = min(common, key=lambda file: file.size).path
        before, after = before | {stand_in}, after | {stand_in}
    return before, after


def _is_table(path: str) -> bool:
    return path.lower().endswith(_TABLES)


def _compare_tables(
    rows: Sequence[Mapping[str, Any]],
    chosen: tuple[set[str], set[str]],
    folder: Path,
    key: Sequence[str],
    on_progress: Progress | None,
    link: Link,
) -> dict[str, Any]:
    sides: list[list[Path]] = []
    for row, paths, name in zip(rows, chosen, ("before", "after"), strict=True):
        place = folder / name
        choose = partial(_chosen, frozenset(paths))
        fetch_into(link, *content.artifact_of(row), place, choose, on_progress)
        sides.append([place / path for path in sorted(paths)])
    return table_diff(sides[0], sides[1], tuple(key) or None).as_json()


def _chosen(paths: frozenset[str], file: File) -> bool:
    return file.path in paths
