"""A bundle's manifest, ``hansard.json``: what the folder provides and what it requires."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hansard.formats.problems import BundleError
from hansard.formats.requirements import check_requirements

MANIFEST_NAME = "hansard.json"
FORMAT = 1
KINDS = ("executor", "model", "dataset_loader")
MAX_MANIFEST_BYTES = 1024 * 1024
MAX_NAME_CHARS = 200
MAX_DESCRIPTION_CHARS = 10_000
MAX_PACKAGES = 20
_MAX_ENTRY_CHARS = 300
_TAKEN_NAMES = sys.stdlib_module_names | {"hansard"}

_ENTRY = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_VERSION = re.compile(r"version-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Manifest:
    """``kind`` is one of KINDS; ``entry`` is ``module:Class``; requirements are PEP 508 lines.

    ``packages`` are the folders that were packed from beside the project: name to digest. ``base``
    is what the bundle extends: the id of a version, and the digest of its bundle.
    """

    kind: str
    entry: str
    name: str
    description: str = ""
    requirements: tuple[str, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    base: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The file's content: the same bytes on every machine, without options that say nothing."""
        said = {name: each for name, each in asdict(self).items() if each or name not in OPTIONS}
        document = {"format": FORMAT, **said}
        return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


FIELDS = frozenset(each.name for each in fields(Manifest))
OPTIONS = frozenset({"packages", "base"})
"""Fields that came later: a bundle may be without them."""


def read_manifest(data: bytes) -> Manifest:
    """The manifest in a packed bundle. Raises BundleError unless it is complete and valid."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise _invalid(f"the manifest has more than {MAX_MANIFEST_BYTES} bytes")
    try:
        document = json.loads(data.decode())
    except (ValueError, RecursionError):
        raise _invalid("the manifest is not JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise _invalid("the manifest is not a JSON object")
    version = document.pop("format", None)
    if version != FORMAT or isinstance(version, bool):
        raise _invalid(f"`format` must be {FORMAT}")
    if document.keys() | OPTIONS != FIELDS:
        odd = ", ".join(sorted((document.keys() | OPTIONS) ^ FIELDS)[:5])
        raise _invalid(f"missing or unknown fields: {odd[:200]}")
    return make_manifest(document)


def make_manifest(settings: Mapping[str, Any]) -> Manifest:
    """A checked manifest from its fields. Raises BundleError naming the field that is wrong."""
    for name, value in settings.items():
        if name not in ("requirements", *OPTIONS) and not isinstance(value, str):
            raise _invalid(f"`{name}` must be text")
    _check_text(settings)
    requirements = settings.get("requirements", ())
    if not isinstance(requirements, list | tuple) or not all(
        isinstance(each, str) for each in requirements
    ):
        raise _invalid("`requirements` must be a list of text")
    packages = settings.get("packages", {})
    _check_packages(packages)
    base = settings.get("base", {})
    _check_base(base)
    return Manifest(
        kind=settings["kind"],
        entry=settings["entry"],
        name=settings["name"],
        description=settings.get("description", ""),
        requirements=check_requirements((MANIFEST_NAME, each) for each in requirements),
        packages=packages,
        base=base,
    )


def _check_text(settings: Mapping[str, str]) -> None:
    if settings["kind"] not in KINDS:
        raise _invalid(f"`kind` must be one of {', '.join(KINDS)}")
    if len(settings["entry"]) > _MAX_ENTRY_CHARS or not _ENTRY.fullmatch(settings["entry"]):
        raise _invalid("`entry` must read `module:Class`")
    name = settings["name"]
    if not name.strip() or len(name) > MAX_NAME_CHARS or "/" in name or _CONTROL.search(name):
        raise _invalid(
            f"`name` must have 1 to {MAX_NAME_CHARS} characters, no slash and no control character"
        )
    description = settings.get("description", "")
    if len(description) > MAX_DESCRIPTION_CHARS or _CONTROL.search(
        re.sub(r"[\t\r\n]", "", description)
    ):
        raise _invalid("`description` is too long or has control characters")


def _check_packages(packages: object) -> None:
    if not isinstance(packages, dict) or len(packages) > MAX_PACKAGES:
        raise _invalid(f"`packages` must tell of at most {MAX_PACKAGES} packages")
    for name, digest in packages.items():
        if not name.isidentifier() or name in _TAKEN_NAMES:
            raise _invalid(f"`{name[:MAX_NAME_CHARS]}` cannot be the name of a package of yours")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise _invalid(f"`packages` must give the digest of `{name[:MAX_NAME_CHARS]}` in hex")


def _check_base(base: object) -> None:
    match base:
        case {"version": str(version), "bundle": str(digest), **more} if not more:
            known = bool(_VERSION.fullmatch(version) and _DIGEST.fullmatch(digest))
        case _:
            known = base == {}
    if not known:
        raise _invalid("`base` must be the id of a version and the digest of its bundle")


def _invalid(detail: str) -> BundleError:
    return BundleError("invalid_manifest", detail, MANIFEST_NAME)
