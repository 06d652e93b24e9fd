"""The archive inside a bundle: a plain tar with one form per content, read with distrust.

Uncompressed, because compressors differ between machines and because nothing can then unpack to
more than was sent.
"""

import tarfile
import unicodedata
from collections.abc import Iterable, Mapping

from hansard.formats.problems import BundleError

MAX_FILES = 2_000
MAX_UNPACKED_BYTES = 32 * 1024 * 1024
MAX_BUNDLE_BYTES = MAX_UNPACKED_BYTES + 2 * 1024 * 1024
MAX_PATH_BYTES = 200
MAX_PART_BYTES = 100
"""The longest name of one file or folder within a path: more would need a tar extension."""

_BLOCK = 512
_LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)
_MAX_ENTRIES = 2 * MAX_FILES  # folders count too
_FILE_MODE = 0o644


def encode(files: Mapping[str, bytes]) -> bytes:
    """The tar of these files: sorted names, no times, owners or folders, fixed modes.

    Raises BundleError under the rules by which `decode` refuses.
    """
    check_names(files)
    check_size(len(files), sum(map(len, files.values())))
    parts: list[bytes] = []
    for name in sorted(files):
        header = tarfile.TarInfo(name)
        header.size, header.mode = len(files[name]), _FILE_MODE
        parts += (
            header.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict"),
            files[name],
            bytes(-len(files[name]) % _BLOCK),
        )
    return b"".join((*parts, bytes(2 * _BLOCK)))


def decode(data: bytes) -> dict[str, bytes]:
    """The regular files of a tar. Raises BundleError for anything that is not a harmless file."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleError("bundle_too_large", f"a bundle has at most {MAX_BUNDLE_BYTES} bytes")
    files: dict[str, bytes] = {}
    at = entries = total = 0
    while (header := _header(data, at)) is not None:
        at += _BLOCK
        entries += 1
        content = _content(data, at, header)
        at += len(content) + -len(content) % _BLOCK
        total += len(content)
        check_size(entries if entries > _MAX_ENTRIES else len(files), total)
        _check_name(header.name)
        if header.isdir():
            continue
        if header.name in files:
            raise BundleError("duplicate_name", "the name occurs twice", header.name)
        files[header.name] = content
    if not files or any(data[at:]):
        raise BundleError("not_a_tar", "the upload is not a plain tar with files")
    check_size(len(files), total)
    check_names(files)
    return files


def check_size(count: int, total_bytes: int) -> None:
    """Raises BundleError if there are too many files or bytes."""
    if count > MAX_FILES:
        raise BundleError("too_many_files", f"a bundle has at most {MAX_FILES} files")
    if total_bytes > MAX_UNPACKED_BYTES:
        detail = f"a bundle unpacks to at most {MAX_UNPACKED_BYTES} bytes: ship data as artifacts"
        raise BundleError("bundle_too_large", detail)


def check_names(names: Iterable[str]) -> None:
    """Raises BundleError for a name that is unsafe anywhere, or two that some disk holds as one."""
    files: dict[str, str] = {}
    for name in names:
        _check_name(name)
        other = files.setdefault(_folded(name), name)
        if other != name:
            raise BundleError(
                "duplicate_name", f"the name differs from `{other}` only in form", name
            )
    for folded, name in files.items():
        parts = folded.split("/")
        if any("/".join(parts[:depth]) in files for depth in range(1, len(parts))):
            raise BundleError("duplicate_name", "a file and a folder have one name", name)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _check_name(name: str) -> None:
    where = name.encode("ascii", "backslashreplace").decode()[:MAX_PATH_BYTES]
    if any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in name) or "\\" in name:
        detail = "names have no control characters and no backslashes"
        raise BundleError("unsafe_name", detail, where.replace("\0", "\\x00"))
    parts = name.split("/")
    if ":" in parts[0] or not all(part and part not in (".", "..") for part in parts):
        raise BundleError("unsafe_name", "the name must be a plain path inside the bundle", where)
    too_long = any(len(part.encode()) > MAX_PART_BYTES for part in parts)
    if too_long or len(name.encode()) > MAX_PATH_BYTES:
        detail = f"a path has at most {MAX_PATH_BYTES} bytes, and {MAX_PART_BYTES} in each part"
        raise BundleError("name_too_long", detail, where)


def _header(data: bytes, at: int) -> tarfile.TarInfo | None:
    """The header at an offset, None at the end of the archive."""
    block = data[at : at + _BLOCK]
    if not any(block):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError):
        raise BundleError("not_a_tar", "the upload is not a plain tar") from None
    if header.name.startswith("/"):
        raise BundleError(
            "unsafe_name", "the name is an absolute path", header.name[:MAX_PATH_BYTES]
        )
    if header.type in _LINKS:
        raise BundleError("link_refused", "a bundle contains no links", header.name)
    if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
        raise BundleError("special_file", "only plain files, no tar extensions", header.name)
    return header


def _content(data: bytes, at: int, header: tarfile.TarInfo) -> bytes:
    if header.isdir() and header.size:
        raise BundleError("not_a_tar", "a folder cannot have content", header.name)
    if not 0 <= header.size <= len(data) - at:
        raise BundleError("not_a_tar", "the file says it is longer than the upload", header.name)
    return data[at : at + header.size]
