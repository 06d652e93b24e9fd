"""Models and datasets as resources: content in, out, named and compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from hansard.artifacts.transfer import Cached, Choose, Progress
from hansard.client import content, dataset_flows, reference
from hansard.client.compatibility import Parts
from hansard.client.content import Details, Files, Publication
from hansard.client.content_results import DatasetDiff, Pulled
from hansard.client.effect import Flow
from hansard.client.operation import S, operation
from hansard.client.resources import Abstractions
from hansard.client.results import Abstraction, Pushed, Version

_PAGE = 1000


class Contents(Abstractions[S]):
    """What has versions with content: models and datasets."""

    @operation
    def pull(
        self, ref: str, folder: str | Path, *, on_progress: Progress | None = None
    ) -> Flow[Pulled]:
        """All files of a version in a new folder, each checked: all of them or nothing.

        `NAME` is the latest version, `NAME:3` and `NAME@champion` are others. `on_progress` is
        told the stage, its bytes so far and in total. Raises FileExistsError, NotFound, Corrupt.
        """
        row = yield from reference.version_row(self._session, (self.kind,), ref)
        link = self._sender.link
        return (yield from content.pull(self._session, link, row, Path(folder), on_progress))

    @operation
    def cached(
        self,
        ref: str,
        choose: Choose | None = None,
        *,
        verify: bool = False,
        on_progress: Progress | None = None,
    ) -> Flow[tuple[Version, Cached]]:
        """The version, and its (chosen) files in this machine's cache, fetched where they lack.

        `verify` reads what is there already and fetches what is damaged again. Raises NotFound,
        Corrupt.
        """
        row = yield from reference.version_row(self._session, (self.kind,), ref)
        flow = content.cached(
            self._session, self._sender.link, row, choose, on_progress, verify=verify
        )
        found = yield from flow
        return Version.model_validate(row), found

    @operation
    def alias(self, ref: str, aliases: Mapping[str, int | None]) -> Flow[Abstraction]:
        """Move aliases to numbers of versions, all at once; None takes one away.

        `{"champion": 4, "challenger": 3}` swaps the two in one step. Raises Invalid, Conflict
        `version-deleted`.
        """
        id_ = yield from self._id(ref)
        body = {"aliases": dict(aliases)}
        yield from self._session.write("PUT", self._path(id_, "aliases"), body, key=True)
        return (yield from self._read(id_))


class Models(Contents[S], Parts[S]):
    """Models: code that can be trained, and weights."""

    kind = "model"

    @operation
    def push(
        self,
        path: Files,
        name: str,
        *,
        project: str | None = None,
        aliases: Sequence[str] = (),
        quarantine: bool = False,
        remember: bool = True,
        on_progress: Progress | None = None,
        **said: Unpack[Details],
    ) -> Flow[Pushed]:
        """Publish files as the next version of a model, which is made if it is not there.

        Only what the platform lacks is sent. Files that are the latest version already, with
        nothing new said of them, answer that one, with `created` false. What is `said` are
        description, tags, card, metrics, parameters, input_schema, output_schema, environment, and
        the versions it was made of and with: `parents`, `data`. Pickles are refused, unless they
        are kept in `quarantine`, where nothing can use them. `remember` notes what unchanged files
        are. Raises Invalid, HansardError for a pickle, OSError, BundleError.
        """
        wish = Publication(
            kind=self.kind,
            name=name,
            files=content.files_of(path),
            project=project,
            details=said,
            aliases=aliases,
            quarantine=quarantine,
            remember=remember,
            on_progress=on_progress,
        )
        return (yield from content.publish(self._session, self._sender.link, wish))


class Datasets(Contents[S]):
    """Datasets: files and tables, what they hold, and what is expected of them."""

    kind = "dataset"

    @operation
    def push(
        self,
        source: dataset_flows.Data,
        name: str,
        *,
        project: str | None = None,
        aliases: Sequence[str] = (),
        reference: bool = False,
        options: Mapping[str, Any] | None = None,
        on_progress: Progress | None = None,
        **said: Unpack[Details],
    ) -> Flow[Pushed]:
        """Publish data as the next version of a dataset, which is made if it is not there.

        `source` is a folder, a file, several of them, the address of a source (`https://`, `s3://`,
        `postgresql://`, ...), or tables of pyarrow, polars or pandas: one, or several by name.
        With `reference` only what identifies the source is kept, no bytes: such a version is not
        reproducible once the source moves. `options` are those of the source. What is `said` are
        description, tags, card and `parents`. Raises Invalid, SourceError, TableError, OSError,
        BundleError.
        """
        wish = Publication(
            kind=self.kind,
            name=name,
            files={},
            project=project,
            details=said,
            aliases=aliases,
            on_progress=on_progress,
        )
        given = dataset_flows.Given(source, reference, options or {})
        return (yield from dataset_flows.push(self._session, self._sender.link, wish, given))

    @operation
    def settle(self, ref: str, timeout_s: float | None = None) -> Flow[Version]:
        """The version once its profile is there, and it was held against what is expected.

        Raises TimeoutError.
        """
        return (yield from dataset_flows.settle(self._session, ref, timeout_s))

    @operation
    def profile(self, ref: str) -> Flow[Version]:
        """The whole version, with `profile`, `examples`, `quality` and `checks` so far."""
        return (yield from dataset_flows.whole(self._session, ref))

    @operation
    def expect(self, ref: str, text: str | None) -> Flow[Abstraction]:
        """Say what versions are held against, as YAML; None expects nothing. Raises Invalid."""
        id_ = yield from self._id(ref)
        body = {"text": text}
        yield from self._session.write("PUT", self._path(id_, "expectations"), body, key=True)
        return (yield from self._read(id_))

    @operation
    def diff(
        self,
        before: str,
        after: str,
        *,
        key: Sequence[str] = (),
        on_progress: Progress | None = None,
    ) -> Flow[DatasetDiff]:
        """How two versions differ: files by their content, and the rows of tables by a key.

        Only files that differ are fetched. Raises NotFound, TableError.
        """
        flow = dataset_flows.diff(
            self._session, self._sender.link, (before, after), tuple(key), on_progress
        )
        return (yield from flow)
