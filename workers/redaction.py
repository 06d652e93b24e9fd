"""Takes secrets out of what a step has written, also where it wrote them in another spelling."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

MIN_CHARS = 4
"""Shorter values are no secrets that could be found in a text."""


class Redaction:
    """Replaces the values of secrets by `[redacted:NAME]`."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        spelled: dict[bytes, str] = {}
        for name, value in secrets.items():
            for spelling in _spellings(value):
                spelled.setdefault(spelling, name)
        self._marks = {each: f"[redacted:{name}]".encode() for each, name in spelled.items()}
        longest_first = sorted(spelled, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first)))
        self.longest = max(map(len, spelled), default=0)
        """Bytes of the longest spelling; 0 where there is nothing to take out."""

    def cut(self, line: bytes, most: int) -> bytes:
        """The first ``most`` bytes of a line without secrets.

        A secret that begins within them is taken out whole if ``line`` has `longest` bytes more.
        """
        if not self.longest:
            return line[:most]
        parts: list[bytes] = []
        end = 0
        for found in self._pattern.finditer(line):
            if found.start() >= most:
                break
            parts += [line[end : found.start()], self._marks[found[0]]]
            end = found.end()
        return b"".join([*parts, line[end:most]])[:most]

    def clean(self, value: Any) -> Any:
        """A JSON value without secrets in any text of it, names included."""
        if not self.longest:
            return value
        if isinstance(value, str):
            data = value.encode(errors="surrogatepass")
            marked = self._pattern.sub(lambda found: self._marks[found[0]], data)
            return marked.decode(errors="surrogatepass")
        if isinstance(value, Mapping):
            return {self.clean(name): self.clean(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean(each) for each in value]
        return value


def _spellings(secret: str) -> Iterator[bytes]:
    """A secret as it is, by the line, and as JSON, addresses and base64 would have it."""
    texts = {secret, *(line.strip() for line in secret.splitlines())}
    for text in texts:
        if len(text) >= MIN_CHARS:
            plain = text.encode(errors="surrogatepass")
            yield plain
            yield json.dumps(text)[1:-1].encode()
            yield quote(plain, safe="").encode()
            yield from _base64(plain)


def _base64(secret: bytes) -> Iterator[bytes]:
    """Base64 of a secret alone, and what of it shows when it is encoded within something else."""
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        yield encode(secret)
        for before in range(3):
            encoded = encode(b"\0" * before + secret).rstrip(b"=")
            whole = (before + len(secret)) % 3 == 0
            inner = encoded[(0, 2, 3)[before] : None if whole else -1]
            if len(inner) >= MIN_CHARS:
                yield inner
