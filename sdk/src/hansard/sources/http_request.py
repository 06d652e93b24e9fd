"""One request over HTTP(S): redirects by hand, each target checked, and only that connected to."""

import base64
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from hansard.sources.errors import (
    AddressRefused,
    SourceChanged,
    SourceDenied,
    SourceError,
    SourceMissing,
    SourceUnavailable,
)
from hansard.sources.network import Guard

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_GOOD = frozenset({200, 206})
_BY_STATUS: dict[int, tuple[type[SourceError], str]] = {
    401: (SourceDenied, "the server asks for other credentials"),
    403: (SourceDenied, "the server does not permit it"),
    404: (SourceMissing, "there is nothing at this address"),
    410: (SourceMissing, "there is nothing at this address any more"),
    412: (SourceChanged, "it was changed after it was listed"),
    416: (SourceChanged, "it is shorter than it was when listed"),
    429: (SourceUnavailable, "the server asks to wait"),
}
_FIRST_SERVER_ERROR = 500


class HttpRequest:
    """Requests to one address. The credentials go to its own server only, never to a redirect's."""

    def __init__(
        self,
        address: str,
        guard: Guard,
        credentials: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._url = _parsed(address)
        self._guard = guard
        self._secret = _authorization(credentials or {})
        self._context = _context(ca_file)
        self.shown = shown(self._url)
        self.path = self._url.path

    @contextmanager
    def get(self, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """The answer 200 or 206, its body not read yet. Raises SourceError by what went wrong."""
        url = self._url
        with ExitStack() as held:
            for _ in range(MAX_REDIRECTS + 1):
                response = held.enter_context(self._exchange(url, headers))
                if response.status_code not in _REDIRECTS:
                    self._check(response)
                    yield response
                    return
                url = self._target(url, response.headers.get("location", ""))
                held.pop_all().close()
        raise AddressRefused(f"{self.shown}: more than {MAX_REDIRECTS} redirects")

    def post(self, content: bytes, media_type: str) -> None:
        """Send a body; no redirect is followed. Raises SourceError by what went wrong."""
        headers = {"Content-Type": media_type}
        with self._exchange(self._url, headers, content) as response:
            if response.status_code in _REDIRECTS:
                raise AddressRefused(f"{self.shown}: redirects what is sent to it")
            if not response.is_success:
                self._check(response)

    def pieces(self, response: httpx.Response) -> Iterator[bytes]:
        """The body as it comes, so that a cut loses nothing. Raises SourceUnavailable then."""
        try:
            yield from response.iter_raw()
        except httpx.HTTPError:
            raise SourceUnavailable(f"{self.shown}: the connection was cut") from None

    @contextmanager
    def _exchange(
        self, url: httpx.URL, headers: Mapping[str, str], content: bytes | None = None
    ) -> Iterator[httpx.Response]:
        # A connection is never used again: it was checked for one name only.
        with httpx.Client(verify=self._context, trust_env=False, timeout=_TIMEOUT) as client:
            response = self._send(client, url, headers, content)
            try:
                yield response
            finally:
                response.close()

    def _send(
        self,
        client: httpx.Client,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> httpx.Response:
        host = url.raw_host.decode()
        port = url.port or _PORTS[url.scheme]
        for address in self._guard.addresses(host, port):
            try:
                request = client.build_request(
                    "GET" if content is None else "POST",
                    url.copy_with(host=address),
                    content=content,
                    headers={**headers, **self._own_headers(url)},
                    extensions={"sni_hostname": host},
                )
                return client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if "CERTIFICATE" in str(error):
                    raise SourceError(f"{self.shown}: its certificate is not trusted") from None
            except (httpx.HTTPError, ValueError):
                break
        raise SourceUnavailable(f"{self.shown}: no answer, or the connection was cut")

    def _own_headers(self, url: httpx.URL) -> dict[str, str]:
        own = {"Host": url.netloc.decode(), "Accept-Encoding": "identity", "Accept": "*/*"}
        if self._secret and _origin(url) == _origin(self._url):
            own["Authorization"] = self._secret
        return own

    def _target(self, url: httpx.URL, location: str) -> httpx.URL:
        try:
            target = url.join(location).copy_with(fragment=None)
            target = _parsed(str(target))
        except (httpx.InvalidURL, AddressRefused, ValueError):
            raise AddressRefused(f"{self.shown}: redirects to where it may not lead") from None
        if url.scheme == "https" and target.scheme == "http":
            raise AddressRefused(f"{self.shown}: redirects from https to http")
        return target

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status not in _GOOD:
            kind, text = _BY_STATUS.get(status, (SourceError, f"the server answers {status}"))
            if status >= _FIRST_SERVER_ERROR:
                kind = SourceUnavailable
            raise kind(f"{self.shown}: {text}")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise SourceError(f"{self.shown}: the server sends it packed, though asked not to")


def shown(url: httpx.URL) -> str:
    """The address without what may be secret: values of a query are often signatures.

    >>> shown(httpx.URL("https://example.org/a.csv?key=secret"))
    'https://example.org/a.csv?key=...'
    """
    names = "&".join(f"{name}=..." for name in url.params)
    plain = str(url.copy_with(query=None, fragment=None, userinfo=b""))
    return f"{plain}?{names}" if names else plain


def _parsed(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError):
        raise AddressRefused("the address is no URL") from None
    if url.scheme not in _PORTS:
        raise AddressRefused("the address begins neither with http:// nor with https://")
    if not url.host:
        raise AddressRefused("the address names no host")
    if url.userinfo:
        raise AddressRefused(
            "the address holds credentials: addresses are kept, so give them by credentials="
        )
    return url.copy_with(fragment=None)


def _origin(url: httpx.URL) -> tuple[str, bytes, int]:
    return url.scheme, url.raw_host, url.port or _PORTS[url.scheme]


def _authorization(credentials: Mapping[str, str]) -> str | None:
    if not credentials:
        return None
    if credentials.keys() == {"token"} and credentials["token"].isascii():
        if credentials["token"].isprintable():
            return f"Bearer {credentials['token']}"
    elif credentials.keys() == {"user", "password"}:
        pair = f"{credentials['user']}:{credentials['password']}"
        return "Basic " + base64.b64encode(pair.encode()).decode()
    raise AddressRefused("credentials of HTTP are a printable token, or user and password")


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise AddressRefused(f"{ca_file} holds no certificates") from None
