"""One request, run once for each of several seeds: which seeds, and what tells the runs apart."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from api.commands.run_parts import RunRequest
from domain.errors import Invalid
from domain.run import MAX_SEEDS
from domain.text import MAX_NAME, checked_id


@dataclass(frozen=True, slots=True)
class Member:
    """One run of a request."""

    id: str
    seed: int
    grouped: bool

    def named(self, name: str) -> str:
        """A name that the others of the group do not have, cut to what a name may hold."""
        return f"{name[: MAX_NAME - 16]} seed {self.seed}" if self.grouped else name


def wanted_seeds(id_: str, seed: int | None, seeds: int | Sequence[int] | None) -> tuple[int, ...]:
    """The seeds asked for, or drawn from the id, so that a repeated request is the same.

    Raises Invalid for seeds that are given twice, are too many, or stand beside `seed`.
    """
    if seeds is None:
        drawn = random.Random(id_).randrange(2**31)  # noqa: S311 - a seed, not a secret
        return (drawn if seed is None else seed,)
    if seed is not None:
        raise Invalid("either `seed` or `seeds`", field="seeds")
    count = seeds if isinstance(seeds, int) else len(seeds)
    if not 1 <= count <= MAX_SEEDS:
        raise Invalid(f"{count} seeds: 1 to {MAX_SEEDS} make a group of runs", field="seeds")
    if isinstance(seeds, int):
        return tuple(random.Random(id_).sample(range(2**31), seeds))  # noqa: S311 - same
    if len(set(seeds)) < count:
        raise Invalid("each seed once: the same seed gives the same run", field="seeds")
    return tuple(seeds)


def members(asked: RunRequest) -> Iterator[Member]:
    """The runs of a request. Raises Invalid for an id that is none."""
    checked_id(asked.id, "rungroup" if asked.grouped else "run")
    if not asked.grouped:
        yield Member(asked.id, asked.seeds[0], grouped=False)
        return
    for seed in asked.seeds:
        digest = sha256(f"{asked.id}\n{seed}".encode()).digest()
        yield Member(f"run-{UUID(bytes=digest[:16])}", seed, grouped=True)
