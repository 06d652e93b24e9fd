"""Publishes what a run leaves: as a version of the same model, or as a new model.

What is not permitted any more, or has no free name, stays with the run, which says why.
"""

import json
from collections.abc import Mapping
from typing import Any

from domain.abstraction import Abstraction
from domain.aggregate import Aggregate
from domain.artifact import Artifact
from domain.errors import DomainError
from domain.keep import Keep
from domain.project import Project
from domain.run import Run
from domain.version import Version
from hansard.formats.ids import new_id
from infra.event_store import Session
from infra.names import reserve
from workers.asker import Asker

MAX_PARAMETERS_BYTES = 128 * 1024


class Publication:
    """One run's; ``saved`` holds what has to be saved with the end of the run."""

    def __init__(self, session: Session, run: Run, asker: Asker) -> None:
        self.saved: dict[str, Aggregate] = {}
        self._session = session
        self._run = run
        self._asker = asker

    async def publish(self, left: Mapping[str, Artifact]) -> list[dict[str, Any]]:
        """What the end of the run tells of each slot that left something."""
        return [await self._told(slot, artifact) for slot, artifact in left.items()]

    async def _told(self, slot: str, artifact: Artifact) -> dict[str, Any]:
        source = await self._session.load(Version, self._run.slots[slot]["version"])
        try:
            model = await self._model(slot, source)
        except DomainError as refusal:
            why = {"code": refusal.code, "detail": refusal.detail}
            nothing = {"model": None, "version": None, "number": None}
            return {"slot": slot, "artifact": artifact.id, **nothing, "refused": why}
        version_id = new_id("version")
        number = model.add_version(version_id)
        artifact.attach(version_id)
        version = Version.of(
            model,
            version_id,
            number,
            source.source,
            origin=_origin(self._run, slot),
            content=artifact.content,
            details=_details(self._run, slot, source),
        )
        self.saved |= {each.id: each for each in (model, version, artifact)}
        kept = {"model": model.id, "version": version_id, "number": number}
        return {"slot": slot, "artifact": artifact.id, **kept, "refused": None}

    async def _model(self, slot: str, source: Version) -> Abstraction:
        """What gets the version. Raises DomainError where that is not possible."""
        if self._run.slots[slot]["keep"] == Keep.MODEL:
            return await self._new(self._run.slots[slot]["name"])
        known = self.saved.get(source.abstraction)
        model = known or await self._session.load(Abstraction, source.abstraction)
        assert isinstance(model, Abstraction)
        await self._asker.require(model, "publish")
        return model

    async def _new(self, name: str) -> Abstraction:
        """A model of who asked for the run."""
        assert self._run.project is not None
        project = await self._session.load(Project, self._run.project)
        project.require_open()
        model = Abstraction.register(new_id("model"), project.id, name)
        model.created_by = self._asker.user
        await self._asker.require(model, "create")
        reservation = await reserve(self._session, model, name, self._asker.sees)
        for each in (model, reservation):
            self._session.credit(each, self._asker.user)
            self.saved[each.id] = each
        return model


def _origin(run: Run, slot: str) -> dict[str, Any]:
    return {
        "run": run.id,
        "slot": slot,
        "version": run.slots[slot]["version"],
        "executor": run.executor,
        "by": run.created_by,
    }


def _details(run: Run, slot: str, source: Version) -> dict[str, Any]:
    """What is known of a trained model. Parameters too large for a version stay with the run."""
    parameters = run.slots[slot]["parameters"]
    small = len(json.dumps(parameters)) <= MAX_PARAMETERS_BYTES
    return {
        "parameters": parameters if small else None,
        "data": list(dict.fromkeys(run.datasets.values())),
        "parents": [source.id] if source.content else [],
    }
