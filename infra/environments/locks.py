"""Locks a bundle's requirements with uv: exact versions, wheels only, every file by its hash.

The lock, the platform and the SDK's wheel together name an environment (`Lock.digest`).
"""

import hashlib
import json
import os
import re
import subprocess
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import uv
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from infra.environments.pip_settings import pip_settings

FORMAT_VERSION = 1
LOCK_TIMEOUT_S = 120.0
MAX_DETAIL_CHARS = 600
# Ours are on no index: whoever registered the name there would otherwise run code in every step.
OWN_NAMES = frozenset({"hansard", "hansard-server"})

_OUTAGE = re.compile(
    r"Failed to fetch|error sending request|Request failed after|timed out", re.IGNORECASE
)
_UNSATISFIABLE = re.compile(r", we can conclude that your requirements are unsatisfiable\.")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s`')]+", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w.:~])(?:/[\w.+@=~-]+)+/?")


class PackagesFailed(Exception):
    """uv could not do what was asked. `detail` is one line for a person, without hosts or paths.

    `retryable` says that the index was out of reach: the same request may succeed later.
    """

    code = "packages_failed"

    def __init__(self, detail: str, *, retryable: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retryable = retryable


class LockFailed(PackagesFailed):
    """The requirements cannot be met: unknown, in conflict, without wheels, or not allowed."""

    code = "lock_failed"


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that decides what an environment holds; `digest` (hex SHA-256) is its name."""

    text: str  # a requirements file: name==version and its hashes
    python: str  # "3.11"
    variant: str  # accelerator: "cpu", "cu130", ...
    sdk: str  # SHA-256 of the SDK's wheel
    platform: str = field(default_factory=sysconfig.get_platform)

    @property
    def digest(self) -> str:
        """Equal for equal contents, on every machine of the same platform."""
        facts = (FORMAT_VERSION, self.python, self.platform, self.variant, self.text, self.sdk)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def lock(
    requirements: Sequence[str],
    *,
    python: str,
    sdk_wheel: Path,
    cache: Path,
    variant: str = "cpu",
    timeout_s: float = LOCK_TIMEOUT_S,
) -> Lock:
    """Lock PEP 508 `requirements` (of one bundle or several) for `python` ("3.11") and `variant`.

    `cache` is uv's cache folder, shared with `EnvironmentStore`. Raises LockFailed.
    """
    wanted = _checked(requirements, sdk_wheel)
    text = _compile(wanted, python, variant, cache, timeout_s) if wanted else ""
    if taken := OWN_NAMES & set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)):
        raise LockFailed(f"a package depends on `{min(taken)}`, which is never taken from an index")
    return Lock(text=text, python=python, variant=variant, sdk=file_digest(sdk_wheel))


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run_uv(
    *arguments: str,
    cache: Path,
    timeout_s: float,
    failure: type[PackagesFailed],
    stdin: str = "",
    held: Sequence[int] = (),
    variant: str | None = None,
) -> str:
    """Output of uv under the user's pip settings; raises `failure` with uv's own explanation.

    `held` are descriptors that uv keeps open, so that a file lock outlives a killed caller. Also
    the index of the `variant` is searched.
    """
    surroundings = pip_settings().uv_environment(os.environ, variant)
    command = (uv.find_uv_bin(), *arguments, "--quiet", "--color=never", "--no-config")
    try:
        done = subprocess.run(
            (*command, "--no-python-downloads", f"--cache-dir={cache}"),
            input=stdin,
            env=surroundings | {"SOURCE_DATE_EPOCH": "315532800"},  # 1980, where zip's time begins
            capture_output=True,
            text=True,
            timeout=timeout_s,
            pass_fds=held,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise failure(f"no answer within {timeout_s:g} s", retryable=True) from None
    if done.returncode != 0:
        _refuse(done.stderr, failure)
    return done.stdout


def _refuse(stderr: str, failure: type[PackagesFailed]) -> NoReturn:
    raise failure(explain(stderr), retryable=_OUTAGE.search(stderr) is not None)


def explain(stderr: str) -> str:
    """The last cause that uv names, as one line without hints, addresses and paths."""
    told = re.split(r"^\s*hint:", stderr, maxsplit=1, flags=re.MULTILINE)[0]
    causes = re.split(r"^\s*(?:error|cause):", told, flags=re.MULTILINE)
    cause = next((" ".join(text.split()) for text in reversed(causes) if text.strip()), "uv failed")
    cause = _PATH.sub("…", _URL.sub("…", cause))
    if _OUTAGE.search(stderr):
        cause = f"the package index could not be reached: {cause}"
    elif conclusion := _UNSATISFIABLE.search(cause):
        cause = f"the requirements cannot be met: {_plain(cause[: conclusion.start()])}"
    return cause if len(cause) <= MAX_DETAIL_CHARS else cause[: MAX_DETAIL_CHARS - 1] + "…"


def _plain(proof: str) -> str:
    """uv's resolver talks in steps of a proof; a person needs the facts."""
    facts = proof.removeprefix("Because ").replace(", we can conclude that", ", so")
    return facts.replace(". And because ", "; and ")


def _compile(
    wanted: Iterable[str], python: str, variant: str, cache: Path, timeout_s: float
) -> str:
    return run_uv(
        *("pip", "compile", "-", "--generate-hashes", "--only-binary=:all:"),
        *("--no-header", "--no-annotate", f"--python-version={python}"),
        *pip_settings().uv_arguments(variant),
        cache=cache,
        timeout_s=timeout_s,
        failure=LockFailed,
        stdin="\n".join(wanted),
        variant=variant,
    )


def _checked(requirements: Iterable[str], sdk_wheel: Path) -> list[str]:
    """Requirements in one spelling and order, so that equal wishes give equal locks."""
    parsed = [_parsed(line) for line in requirements]
    ours = [wish for wish in parsed if canonicalize_name(wish.name) in OWN_NAMES]
    for wish in ours:
        _check_own(wish, sdk_wheel)
    return sorted({str(wish) for wish in parsed if wish not in ours})


def _parsed(line: str) -> Requirement:
    # Parsing also keeps out what uv would obey in a requirements file: options, paths, other files.
    try:
        wish = Requirement(line)
    except InvalidRequirement as problem:
        reason = str(problem).splitlines()[0]
        shown = _URL.sub("…", line)[:100]  # an address may hold a password
        raise LockFailed(f"`{shown}` is not a requirement: {reason}") from None
    if wish.url is not None:
        raise LockFailed(f"`{wish.name}` asks for an address: only packages of an index are taken")
    return wish


def _check_own(wish: Requirement, sdk_wheel: Path) -> None:
    name, version, _, _ = parse_wheel_filename(sdk_wheel.name)
    if canonicalize_name(wish.name) != name:
        raise LockFailed(f"`{wish.name}` is a part of the server and cannot be required")
    if not wish.specifier.contains(version, prereleases=True):
        raise LockFailed(f"`{wish}` is required, but this platform carries {name} {version}")
