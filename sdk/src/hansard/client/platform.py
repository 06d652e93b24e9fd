"""The operations of both clients, written once."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hansard.client import content, downloading, reference, requesting
from hansard.client.compatibility import Executors, Loaders
from hansard.client.content_resources import Datasets, Models
from hansard.client.content_results import Lineage
from hansard.client.effect import Emission, Flow
from hansard.client.events import Events
from hansard.client.invitations import Invitations
from hansard.client.listing import pages
from hansard.client.live import live
from hansard.client.nodes import Nodes
from hansard.client.operation import Bound, S, iteration, operation
from hansard.client.people import Groups, Tokens, Users
from hansard.client.people_results import Login, User
from hansard.client.policies import Decisions, Policies
from hansard.client.pushing import Push, push
from hansard.client.queue_results import Pool, QueuedRun, Wait
from hansard.client.requesting import Ref, Slots, Wish
from hansard.client.resources import (
    Experiments,
    Projects,
    Runs,
    version_of,
)
from hansard.client.results import LiveEvent, Pushed, Run, Version
from hansard.client.secrets import Secrets
from hansard.client.series_results import SeriesSet
from hansard.client.session import Session
from hansard.client.version_resources import Artifacts, Versions
from hansard.client_errors import Invalid


class Platform(Bound[S]):
    """Hansard as its users see it."""

    def __init__(self, session: Session, sender: S) -> None:
        super().__init__(session, sender)
        self.projects: Projects[S] = Projects(session, sender)
        self.experiments: Experiments[S] = Experiments(session, sender)
        self.executors: Executors[S] = Executors(session, sender)
        self.models: Models[S] = Models(session, sender)
        self.loaders: Loaders[S] = Loaders(session, sender)
        self.datasets: Datasets[S] = Datasets(session, sender)
        self.artifacts: Artifacts[S] = Artifacts(session, sender)
        self.versions: Versions[S] = Versions(session, sender)
        self.runs: Runs[S] = Runs(session, sender)
        self.secrets: Secrets[S] = Secrets(session, sender)
        self.users: Users[S] = Users(session, sender)
        self.groups: Groups[S] = Groups(session, sender)
        self.tokens: Tokens[S] = Tokens(session, sender)
        self.nodes: Nodes[S] = Nodes(session, sender)
        self.invitations: Invitations[S] = Invitations(session, sender)
        self.policies: Policies[S] = Policies(session, sender)
        self.decisions: Decisions[S] = Decisions(session, sender)
        self.events: Events[S] = Events(session, sender)

    @operation
    def me(self) -> Flow[User]:
        """The user whose token this is. Raises Unauthenticated."""
        answer = yield from self._session.get("/v1/users/me")
        return User.model_validate(answer)

    @operation
    def resolve(self, entity: str) -> Flow[str]:
        """The id that `model/NAME` and the like mean. Raises NotFound, Invalid."""
        return (yield from reference.resolve_any(self._session, entity))

    @operation
    def login(self, login: str, password: str) -> Flow[Login]:
        """Open a session and speak as its user from now on. It needs no token.

        Raises Unauthenticated `login-failed`, and Unavailable after too many failures.
        """
        body = {"login": login, "password": password}
        answer = yield from self._session.write("POST", "/v1/session", body, key=False)
        opened = Login.model_validate(answer)
        self._sender.identify(opened.token)
        return opened

    @operation
    def logout(self) -> Flow[None]:
        """Close the session whose token this is, and be nobody from now on. Raises Conflict."""
        yield from self._session.write("DELETE", "/v1/session", None, key=False)
        self._sender.identify("")

    @operation
    def push(
        self,
        folder: str | Path,
        project: str | None = None,
        name: str | None = None,
        *,
        force: bool = False,
        tags: Mapping[str, str] | None = None,
        aliases: Sequence[str] = (),
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Flow[Pushed]:
        """Pack a folder and publish it as the newest version under its name.

        A folder that is a version already answers that one, with `created` false, unless `force`.
        The version tells of the README and of git: commit, remote, and what is not committed.
        `on_progress` is told bytes sent and bytes in total. Raises BundleError for a folder that
        cannot be packed, Invalid for what the server refuses.
        """
        asked = Push(Path(folder), project, name, force, tags or {}, aliases, on_progress)
        return (yield from push(self._session, asked))

    @operation
    def run(
        self,
        executor: Ref,
        slots: Slots | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        experiment: str = "default",
        project: str | None = None,
        name: str | None = None,
        resources: Mapping[str, Any] | None = None,
        seed: int | None = None,
        tags: Mapping[str, str] | None = None,
        variables: Mapping[str, Any] | None = None,
        pool: str | None = None,
        priority: int | None = None,
        group: str | None = None,
    ) -> Flow[Run]:
        """Ask for a run of an executor with its slots filled; returns once it is accepted.

        References are ids, names, or `NAME:3` for a version; an experiment that is not there is
        made. `Fill(ref, parameters, keep, name)` gives a slot's content parameters, or keeps what
        was trained; a slot of many takes a list. `resources` are cpus, gpus, memory_mb,
        wall_time_s, network and sandbox; `variables` are of the step's environment. A parameter
        that is secret, and a variable, take `{"secret": NAME}`; any other text is recorded.
        `group` is the one whose shares and quotas count, if not the first that you are in. Raises
        Invalid, NotFound, Forbidden.
        """
        wish = Wish(
            executor=executor,
            slots=slots or {},
            parameters=parameters or {},
            experiment=experiment,
            project=project,
            name=name,
            resources=resources or {},
            seed=seed,
            tags=tags or {},
            variables=variables or {},
            pool=pool,
            priority=priority,
            group=group,
        )
        return (yield from requesting.request_run(self._session, wish))

    @iteration
    def queue(self, *, filter: str | None = None) -> Emission[QueuedRun]:  # noqa: A002
        """Runs that wait, in order of request: position, reason and estimated start of each."""
        yield from pages(self._session, "/v1/queue", {"filter": filter}, QueuedRun)

    @operation
    def why_waiting(self, run: Run | str) -> Flow[Wait]:
        """Where a run stands in the queue and why it waits. Raises NotFound, Unavailable."""
        id_ = yield from reference.resolve(self._session, "run", _ref(run))
        return Wait.model_validate((yield from self._session.get(f"/v1/runs/{id_}/queue")))

    @operation
    def pools(self) -> Flow[list[Pool]]:
        """The pools of nodes, with what they have and what is used. Raises Unavailable."""
        answer = yield from self._session.get("/v1/pools")
        return [Pool.model_validate(item) for item in answer["items"]]

    @operation
    def run_code(
        self,
        folder: str | Path,
        command: Sequence[str],
        *,
        code: str | None = None,
        experiment: str = "default",
        project: str | None = None,
        name: str | None = None,
        resources: Mapping[str, int] | None = None,
        seed: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Flow[Run]:
        """Pack a folder, and ask for a run of a command in it; returns once it is accepted.

        The folder becomes a version of the executor `code`, by default of the folder's name, unless
        it is one already; its requirements are locked. Files that the command leaves in `outputs`
        are items of the run. Raises BundleError, Invalid.
        """
        asked = Push(Path(folder), project, code, as_code=True)
        pushed = yield from push(self._session, asked)
        wish = Wish(
            executor=pushed,
            slots={},
            parameters={"command": list(command)},
            experiment=experiment,
            project=project,
            name=name,
            resources=resources or {},
            seed=seed,
            tags=tags or {},
        )
        return (yield from requesting.request_run(self._session, wish))

    @operation
    def wait(self, run: Run | str, timeout_s: float | None = None) -> Flow[Run]:
        """The run once it has ended, however it ended. Raises TimeoutError."""
        return (yield from requesting.wait(self._session, _ref(run), timeout_s))

    @iteration
    def live(
        self,
        *,
        run: Run | str | Sequence[Run | str] = (),
        experiment: str | Sequence[str] = (),
        project: str | Sequence[str] = (),
    ) -> Emission[LiveEvent]:
        """What happens from now on in runs, experiments and projects, as it happens.

        Resumes after a cut without gap or repeat. Of one run alone the iteration ends with its
        terminal status; else it goes on until the caller leaves it.
        """
        topics = []
        for kind, given in (("run", run), ("experiment", experiment), ("project", project)):
            refs = [given] if isinstance(given, str | Run) else given
            for ref in refs:
                id_ = yield from reference.resolve(self._session, kind, _ref(ref))
                topics.append(f"{kind}:{id_}")
        if not topics:
            raise Invalid("say what to listen to: run=, experiment= or project=", code="invalid")
        alone = topics[0].removeprefix("run:") if len(topics) == 1 else None
        only_run = alone if alone is not None and reference.id_kind(alone) == "run" else None
        yield from live(self._session, topics, only_run)

    @operation
    def version(self, version: Version | str) -> Flow[Version]:
        """A version by id, `NAME:3`, `model/NAME`, or the latest one of `NAME`."""
        if isinstance(version, Version):
            return version
        return (yield from version_of(self._session, reference.VERSIONED, version))

    @operation
    def download(
        self,
        version: Version | str,
        folder: str | Path,
        *,
        on_progress: Callable[[int], None] | None = None,
    ) -> Flow[Path]:
        """Put the files of a model into a new folder, verified, all or nothing.

        A name means the latest version of that model. `on_progress` is told the bytes of each
        piece. Raises FileExistsError, NotFound, Corrupt.
        """
        if isinstance(version, str):
            version = yield from version_of(self._session, ("model",), version)
        if version.content is None:  # kept before there was a store
            flow = downloading.download(self._session, version, Path(folder), on_progress)
            return (yield from flow)
        told = downloading.advances(on_progress)
        row = version.model_dump(mode="json", warnings=False)
        yield from content.pull(self._session, self._sender.link, row, Path(folder), told)
        return Path(folder)

    @operation
    def lineage(self, ref: str, direction: str = "both", depth: int = 3) -> Flow[Lineage]:
        """What a version, a run or all versions of something were made from, and what of them.

        `direction` is `up` (made from), `down` (made of it) or `both`; `depth` counts steps.
        `ref` is an id, `run/NAME`, `model/NAME` and so on, also with `:3` or `@champion`. What the
        caller may not see is a hidden node. Raises NotFound, Invalid.
        """
        id_ = yield from reference.resolve_node(self._session, ref)
        kind = reference.id_kind(id_)
        query = {"direction": direction, "depth": depth}
        answer = yield from self._session.get(f"/v1/lineage/{kind}/{id_}", query)
        return Lineage.model_validate({**answer, "start": id_})

    @operation
    def series(
        self,
        run: Run | str,
        keys: Sequence[str] | None = None,
        max_points: int = 2000,
        attempt: int | None = None,
    ) -> Flow[SeriesSet]:
        """Metric series of a run in at most `max_points` buckets, of all keys if none are given."""
        flow = Runs.series.flow(self.runs, _ref(run), keys, max_points, attempt)
        return (yield from flow)


def _ref(run: Run | str) -> str:
    return run.id if isinstance(run, Run) else run
