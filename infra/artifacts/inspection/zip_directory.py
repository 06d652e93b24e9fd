"""The directory of a zip archive, taken only if every reader of zip would see the same members.

The members tile the archive from its first byte to the directory, and the directory lies right
before the end: nothing is hidden, nothing overlaps. Source: PKWARE's APPNOTE, version 6.3.
"""

import stat
import struct
from dataclasses import dataclass

from infra.artifacts.inspection.source import Refused, Source

FORMAT = "zip"
STORED, DEFLATED = 0, 8

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_ENTRY = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_ENTRY_MARK, _LOCAL_MARK = b"PK\x01\x02", b"PK\x03\x04"
END_MARK, _END64_MARK, _LOCATOR_MARK = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
END_BYTES = _END.size + 0xFFFF
"""The end of an archive with the longest comment."""

_ENTRY_UNITS = 2 << 10
_MAX_DIRECTORY_BYTES = 8 << 20
_ZIP64_EXTRA = 1
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 1 | 1 << 6 | 1 << 13
_DESCRIBED_AFTER = 1 << 3
_DESCRIPTION_BYTES = frozenset({12, 16, 20, 24})
_UTF8 = 1 << 11


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive; `start` is where its data begins, `size` is what it unpacks to."""

    name: str
    method: int
    start: int
    stored: int
    size: int

    @property
    def is_folder(self) -> bool:
        """Whether the name says that this is a folder."""
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class _Entry:
    raw_name: bytes
    flags: int
    method: int
    stored: int
    size: int
    offset: int
    attributes: int

    @property
    def name(self) -> str:
        return self.raw_name.decode("utf-8" if self.flags & _UTF8 else "cp437", "replace")


def damaged() -> Refused:
    """The refusal of an archive that readers may read differently."""
    return Refused(
        "the zip archive is damaged, or something is before, between or after its members: pack it"
        " again",
        FORMAT,
    )


def members(source: Source) -> list[Member]:
    """The files and folders of an archive. Raises Refused."""
    start, size, count = _directory(source)
    source.budget.spend(count * _ENTRY_UNITS)
    if size > _MAX_DIRECTORY_BYTES:
        raise Refused("the zip archive has too many members to be checked: upload them", FORMAT)
    entries = _entries(source.read(start, size), count)
    if len({entry.name for entry in entries}) < count:
        raise Refused("the zip archive has two members of one name: pack it again", FORMAT)
    entries.sort(key=lambda entry: entry.offset)
    starts = [*(entry.offset for entry in entries), start]
    if starts[0] != 0:
        raise damaged()
    return [_member(source, entry, end) for entry, end in zip(entries, starts[1:], strict=True)]


def _directory(source: Source) -> tuple[int, int, int]:
    """Where the directory starts, its bytes and its entries."""
    length = min(END_BYTES, source.size)
    tail = source.read(source.size - length, length)
    at = tail.rfind(END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise damaged()
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(tail, at)
    end = source.size - length + at
    if at + _END.size + comment != len(tail):
        raise damaged()
    locator = tail[max(0, at - _END64_LOCATOR.size) : at]
    if locator.startswith(_LOCATOR_MARK):
        end, (here, count, size, start) = _directory64(source, locator, end)
    if (disk, first_disk) not in ((0, 0), (_FULL16, _FULL16)) or here != count:
        raise damaged()
    if start + size != end:
        raise damaged()
    return start, size, count


def _directory64(source: Source, locator: bytes, end: int) -> tuple[int, tuple[int, int, int, int]]:
    _, _, at, _ = _END64_LOCATOR.unpack(locator)
    if at + _END64.size != end - _END64_LOCATOR.size:
        raise damaged()
    mark, length, _, _, _, _, here, count, size, start = _END64.unpack(source.read(at, _END64.size))
    if mark != _END64_MARK or length != _END64.size - 12:
        raise damaged()
    return at, (here, count, size, start)


def _entries(directory: bytes, count: int) -> list[_Entry]:
    found = []
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(directory):
            raise damaged()
        (mark, _, _, flags, method, _, _, _, stored, size, *lengths, _, _, attributes, offset) = (
            _ENTRY.unpack_from(directory, at)
        )
        name_bytes, extra_bytes, comment_bytes = lengths
        name_end = at + _ENTRY.size + name_bytes
        extra = directory[name_end : name_end + extra_bytes]
        if mark != _ENTRY_MARK:
            raise damaged()
        size, stored, offset = _wide(extra, [size, stored, offset])
        name = directory[at + _ENTRY.size : name_end]
        found.append(_Entry(name, flags, method, stored, size, offset, attributes))
        at = name_end + extra_bytes + comment_bytes
    if at != len(directory):
        raise damaged()
    return found


def _wide(extra: bytes, values: list[int]) -> list[int]:
    """The values with those that do not fit in 32 bits taken from the zip64 extra field."""
    if _FULL32 not in values:
        return values
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == _ZIP64_EXTRA:
            wide = extra[at + 4 : at + 4 + length]
            numbers = iter([int.from_bytes(wide[i : i + 8], "little") for i in range(0, length, 8)])
            return [next(numbers, value) if value == _FULL32 else value for value in values]
        at += 4 + length
    return values


def _member(source: Source, entry: _Entry, end: int) -> Member:
    _check_entry(entry)
    if not 0 <= entry.offset <= end - _LOCAL.size - len(entry.raw_name):
        raise damaged()
    local = source.read(entry.offset, _LOCAL.size + len(entry.raw_name))
    mark, _, flags, method, _, _, _, stored, size, name_bytes, extra_bytes = _LOCAL.unpack_from(
        local
    )
    start = entry.offset + _LOCAL.size + name_bytes + extra_bytes
    same = (
        mark == _LOCAL_MARK
        and local[_LOCAL.size :] == entry.raw_name
        and name_bytes == len(entry.raw_name)
        and (flags ^ entry.flags) & (_ENCRYPTED | _DESCRIBED_AFTER) == 0
        and method == entry.method
    )
    after = end - start - entry.stored
    described = bool(flags & _DESCRIBED_AFTER) and after in _DESCRIPTION_BYTES
    if not same or not (described or after == 0):
        raise damaged()
    if _FULL32 in (stored, size):
        size, stored = _wide(source.read(start - extra_bytes, extra_bytes), [size, stored])
    if (stored, size) != (entry.stored, entry.size) and not (described and stored == 0):
        raise damaged()
    return Member(entry.name, method, start, entry.stored, entry.size)


def _check_entry(entry: _Entry) -> None:
    if entry.flags & _ENCRYPTED:
        raise Refused(
            "a member of the zip archive is encrypted: pack it without a password", FORMAT
        )
    if entry.method not in (STORED, DEFLATED):
        raise Refused("the zip archive uses a rare compression: pack it with deflate", FORMAT)
    if entry.method == STORED and entry.stored != entry.size:
        raise damaged()
    if stat.S_ISLNK(entry.attributes >> 16):
        raise Refused("the zip archive holds a link: pack the file that it points to", FORMAT)
    parts = entry.name.replace("\\", "/").split("/")
    if entry.name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in entry.name:
        raise Refused("a member of the zip archive has a path outside of it: pack it again", FORMAT)
