"""Where the server is and who calls: arguments, environment, `hansard login`, or `hansard up`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from hansard.client_errors import NotConfigured


@dataclass(frozen=True, slots=True)
class Credentials:
    """Address of a server and a token for it; the token stays out of the repr."""

    url: str
    token: str = field(repr=False)


def credentials_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that `hansard login` writes."""
    base = environment.get("XDG_CONFIG_HOME")
    folder = Path(base) if base else Path.home() / ".config"
    return folder / "hansard" / "credentials.json"


def embedded_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that `hansard up` writes in its data folder."""
    folder = environment.get("HANSARD_DATA_DIR")
    return (Path(folder) if folder else Path.home() / ".hansard") / "client.json"


def find_credentials(
    url: str | None = None,
    token: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Credentials:
    """What is given, else HANSARD_URL and HANSARD_TOKEN, else what was saved.

    A saved token goes only to the address it was saved with; an empty one that is given with an
    address is nobody's. Raises NotConfigured.
    """
    if url and token == "":
        return Credentials(checked_url(url), "")
    url = url or environment.get("HANSARD_URL")
    token = token or environment.get("HANSARD_TOKEN")
    if url and token:
        return Credentials(checked_url(url), token)
    for path in (credentials_path(environment), embedded_path(environment)):
        saved = read_credentials(path)
        if saved is not None and (url is None or checked_url(url) == saved.url):
            return Credentials(saved.url, token or saved.token)
    if url:
        raise NotConfigured(f"there is no token for {url}: run `hansard login {url}`")
    raise NotConfigured(
        "no server is known: start one with `hansard up`, or run `hansard login URL`"
    )


def save_credentials(credentials: Credentials, path: Path) -> None:
    """Write the file with mode 0600, as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump({"url": credentials.url, "token": credentials.token}, file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def checked_url(url: str) -> str:
    """The address without a slash at its end. Raises NotConfigured unless it is http or https."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotConfigured(f"`{url}` is not an address of the form http://host:port")
    return url.rstrip("/")


def read_credentials(path: Path) -> Credentials | None:
    """What a file holds, or None where there is none. Raises NotConfigured for a damaged one."""
    try:
        saved = json.loads(path.read_text())
        return Credentials(checked_url(saved["url"]), saved["token"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        raise NotConfigured(f"{path} is damaged: remove it and log in again") from None
