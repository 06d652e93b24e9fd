"""How much is stored, and how much it stands for."""

from dataclasses import dataclass

from infra.database import Connection


@dataclass(frozen=True, slots=True)
class Usage:
    """Sizes in bytes: `logical` of all artifacts as files, `raw` of the objects they share."""

    artifacts: int
    logical: int
    objects: int
    raw: int
    stored: int
    packs: int
    condemned: int
    damaged: int

    @property
    def ratio(self) -> float | None:
        """Bytes of files for each byte on the disk; None for an empty store."""
        return self.logical / self.stored if self.stored else None


def usage(connection: Connection) -> Usage:
    """What the store holds now, by its index and the read model of artifacts."""
    row = connection.execute(
        "SELECT a.*, o.objects, o.raw, p.bytes, p.packs, o.condemned, o.damaged FROM "
        "(SELECT count(*), coalesce(sum(size), 0)::bigint FROM read.artifact WHERE NOT deleted) a, "
        "(SELECT count(*) AS objects, coalesce(sum(raw::bigint), 0)::bigint AS raw, "
        "count(*) FILTER (WHERE condemned IS NOT NULL) AS condemned, "
        "count(*) FILTER (WHERE damaged) AS damaged FROM object) o, "
        "(SELECT count(*) AS packs, coalesce(sum(bytes), 0)::bigint AS bytes FROM pack) p"
    ).fetchone()
    assert row is not None
    return Usage(*row)
