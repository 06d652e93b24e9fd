"""Laws of the artifact store's upkeep: in any order of what happens, nothing that lives is lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from infra.artifacts.adoption import adopt_unknown_packs
from infra.artifacts.closure import Incomplete
from infra.artifacts.recompression import loose_packs, recompress
from infra.artifacts.reindex import reindex
from infra.artifacts.scrub import scrub
from tests.integration.artifact_lab import AT_ONCE, ArtifactLab, Content, artifact_lab, model, noise
from tests.integration.conftest import Servers, servers

__all__ = ["servers"]

PIECES = [*(noise(n, 6000) for n in range(4)), b"text," * 2000, bytes(8192)]
STEPS = 60


class Life:
    """Random changes of one store; each leaves everything that lives readable."""

    def __init__(self, lab: ArtifactLab, rng: Random) -> None:
        self.lab = lab
        self.rng = rng
        self.open: list[tuple[str, bytes, Content]] = []

    def step(self) -> None:
        """Do something."""
        self.rng.choice(self._moves())()
        self.lab.read_live()

    def _moves(self) -> list[Callable[[], object]]:
        more = [self.begin, self.begin, self.push, self.push, self.collect, self.collect]
        return [*more, self.finish, self.delete, self.recompress, self.adopt, self.scrub]

    def _model(self) -> tuple[bytes, Content]:
        backbone = self.rng.sample(PIECES, self.rng.randint(1, 3))
        return model(backbone, noise(self.rng.randint(0, 3), 5000))

    def begin(self) -> None:
        """Send some of an artifact, and leave it at that for now."""
        root, content = self._model()
        sent = dict(self.rng.sample(sorted(content.items()), self.rng.randint(1, len(content))))
        self.open.append((self.lab.send(sent), root, content))

    def finish(self) -> None:
        """Go on with an upload: what was sent may only be missing if it was forgotten."""
        if self.open:
            upload, root, content = self.open.pop(self.rng.randrange(len(self.open)))
            try:
                self.lab.commit(root, content, upload)
            except Incomplete:
                self.lab.send(content, upload)
                self.lab.commit(root, content, upload)
            self.lab.gone.discard(root)

    def push(self) -> None:
        """Send and commit at once."""
        root, content = self._model()
        self.lab.push(root, content, rubbish=self.rng.randint(0, 5))

    def delete(self) -> None:
        """Delete an artifact."""
        if self.lab.live:
            self.lab.delete(self.rng.choice(sorted(self.lab.live)))

    def collect(self) -> None:
        """Collect, at once or with some of the time that things are left alone."""
        waits = {"young_s": 3600.0, "condemned_s": 3600.0, "retired_s": 60.0}
        kept = self.rng.sample(sorted(waits), self.rng.randint(0, 2))
        self.lab.collect(replace(AT_ONCE, **{name: waits[name] for name in kept}))

    def recompress(self) -> None:
        """Try some packs smaller."""
        with self.lab.connection() as connection:
            for pack in loose_packs(connection, 0)[:2]:
                recompress(self.lab.storage, connection, pack)

    def adopt(self) -> None:
        """Enter what is not known: there is nothing."""
        with self.lab.connection() as connection:
            assert adopt_unknown_packs(self.lab.storage, connection, 0) == 0

    def scrub(self) -> None:
        """Verify: nothing is damaged."""
        with self.lab.connection() as connection:
            assert scrub(self.lab.storage, connection).damaged == 0


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_all_that_lives_is_there_and_in_the_end_nothing_else(
    servers: Servers, tmp_path: Path, seed: int
) -> None:
    with artifact_lab(servers, tmp_path) as lab:
        life = Life(lab, Random(seed))
        for _ in range(STEPS):
            life.step()
        assert reindex(lab.storage, lab.url).equal
        lab.collect(replace(AT_ONCE, upload_s=0))
        lab.collect(replace(AT_ONCE, upload_s=0))
        lab.read_live()
        needed = {name for content in lab.live.values() for name in content}
        assert lab.one("SELECT count(*) FROM object") == (len(needed),)
        assert lab.one("SELECT coalesce(sum(bytes), 0) FROM pack") == (lab.stored,)
