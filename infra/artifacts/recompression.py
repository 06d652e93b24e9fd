"""Makes stored objects smaller: fast links send them raw, and this looks for a better form after.

What the elements of a piece are is not known here, so a sample is encoded in each likely way.
"""

from hansard.formats.codec import Buffer, Codec, encode
from hansard.formats.packs import Frame
from infra.artifacts.rewriting import rewrite
from infra.artifacts.storage import Storage
from infra.database import Connection

_FORMS = ((4, True), (2, True), (2, False), (8, False), (1, False))
"""Bytes of an element, and whether its exponent has eight bits: fp32, bf16, fp16, fp64, others."""
_SAMPLE_BYTES = 64 << 10
_ALIGNED = 8


def loose_packs(connection: Connection, older_than_s: float) -> list[str]:
    """Packs that were written that long ago and have not been tried smaller, the oldest first."""
    rows = connection.execute(
        "SELECT id FROM pack WHERE loose AND retired IS NULL "
        "AND since < clock_timestamp() - %s * interval '1 s' ORDER BY since",
        (older_than_s,),
    )
    return [pack for (pack,) in rows]


def is_quiet(connection: Connection, for_s: float) -> bool:
    """Whether nothing was uploaded for so long: whoever uploads needs the machine more."""
    row = connection.execute(
        "SELECT coalesce(max(touched) < clock_timestamp() - %s * interval '1 s', true) FROM upload",
        (for_s,),
    ).fetchone()
    return row is not None and bool(row[0])


def recompress(storage: Storage, connection: Connection, pack: str) -> int:
    """Write the objects of a pack to a smaller one, if there is one; answers the bytes it has.

    Raises StorageFailed, StorageFull.
    """
    return rewrite(storage, connection, pack, smaller, loose=False)


def smaller(frame: Frame) -> Frame:
    """The same object in the form that suits it best; what is encoded already stays as it is."""
    if frame.codec != Codec.RAW:
        return frame
    form = best_form(frame.payload)
    if form is None:
        return frame
    codec, payload = encode(frame.payload, form[0], rotated=form[1])
    return Frame(frame.name, frame.kind, codec, frame.raw, payload)


def best_form(raw: Buffer) -> tuple[int, bool] | None:
    """Width and rotation by which a sample from the middle gets smallest; None if none pays."""
    start = max(0, len(raw) - _SAMPLE_BYTES) // 2 // _ALIGNED * _ALIGNED
    sample = memoryview(raw)[start : start + _SAMPLE_BYTES]
    best, least = None, len(sample)
    for width, rotated in _FORMS:
        if len(raw) % width:
            continue
        codec, payload = encode(sample, width, rotated=rotated)
        if codec is not Codec.RAW and len(payload) < least:
            best, least = (width, rotated), len(payload)
    return best
