"""The user's pip settings (index, find-links, certificates, proxy), passed on to uv.

By itself uv ignores them, and would go to the public index whatever the user has set up.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import structlog

logger = structlog.get_logger(__name__)

PIP_TIMEOUT_S = 30
# pip's own order for `pip install`: the environment wins over its section, and that over [global].
SECTIONS = ("global", "install", ":env:")
ALIASES = {"default-timeout": "timeout", "pypi-url": "index-url", "trusted-hosts": "trusted-host"}
_LINE = re.compile(r"^([^.\n]+)\.([^=\n]+)=(['\"].*)$", re.MULTILINE)  # global.cert='/a/b'
TRUE_WORDS = frozenset({"1", "true", "yes", "on", "t", "y"})
# What uv needs of its surroundings. The rest (our secrets, UV_*, VIRTUAL_ENV) stays here.
KEPT_VARIABLES = (
    *("PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "NETRC"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)


VARIANT_INDEXES = "HANSARD_VARIANT_INDEXES"


@dataclass(frozen=True, slots=True)
class PipSettings:
    """Where pip would look for packages, and how it would connect. Addresses may hold passwords."""

    index: str | None = field(default=None, repr=False)
    extra_indexes: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    certificates: str | None = None
    client_certificate: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    proxy: str | None = field(default=None, repr=False)
    timeout_s: int | None = None
    variant_indexes: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def names_a_source(self) -> bool:
        """Whether the user has said where packages come from."""
        return bool(self.no_index or self.index or self.extra_indexes or self.find_links)

    def uv_arguments(self, variant: str) -> tuple[str, ...]:
        """What only arguments can tell `uv pip`: to use no index, or which builds of torch to take.

        Without a word of the user's, `variant` ("cpu", "cu130") names the PyTorch index: the public
        one holds GPU builds only, gigabytes of them. A source of the user's own is left as it is,
        beside the index that the platform was given for the variant.
        """
        if self.no_index:
            return ("--no-index",)
        left = self.names_a_source or variant in self.variant_indexes
        return () if left else (f"--torch-backend={variant}",)

    def uv_environment(
        self, surroundings: Mapping[str, str], variant: str | None = None
    ) -> dict[str, str]:
        """The environment for uv. Addresses travel here, as arguments are readable by everyone."""
        kept = {name: surroundings[name] for name in KEPT_VARIABLES if name in surroundings}
        return kept | self._source_variables(variant) | self._connection_variables()

    def _source_variables(self, variant: str | None) -> dict[str, str]:
        # pip takes the best version of all sources; uv would stop at the first with that name.
        variables = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
        if self.find_links:
            variables["UV_FIND_LINKS"] = ",".join(map(_as_url, self.find_links))
        if self.index:
            variables["UV_DEFAULT_INDEX"] = _as_url(self.index)
        of_variant = self.variant_indexes.get(variant or "")
        indexes = (*([of_variant] if of_variant else ()), *self.extra_indexes)
        if indexes:
            variables["UV_INDEX"] = " ".join(map(_as_url, indexes))
        return variables

    def _connection_variables(self) -> dict[str, str]:
        certificate_variable = (
            "SSL_CERT_DIR"
            if self.certificates and Path(self.certificates).is_dir()
            else "SSL_CERT_FILE"
        )
        values = {
            certificate_variable: self.certificates,
            "SSL_CLIENT_CERT": self.client_certificate,
            "UV_INSECURE_HOST": " ".join(self.trusted_hosts),
            "HTTP_PROXY": self.proxy,
            "HTTPS_PROXY": self.proxy,
            "UV_HTTP_TIMEOUT": self.timeout_s and str(self.timeout_s),
        }
        return {name: value for name, value in values.items() if value}


def _as_url(source: str) -> str:
    """A folder becomes a file URL: no blank or comma in it can then split uv's lists."""
    if re.match(r"[a-z][a-z0-9+.-]+:", source, re.IGNORECASE):
        return source.replace(",", "%2C")
    return Path(source).expanduser().absolute().as_uri().replace(",", "%2C")


def parse(listing: str, surroundings: Mapping[str, str]) -> PipSettings:
    """Settings of the output of `pip config list`; REQUESTS_CA_BUNDLE counts as it does for pip."""
    sections: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for section, option, quoted in _LINE.findall(listing):
        if section in sections:
            sections[section][ALIASES.get(option, option)] = str(ast.literal_eval(quoted))
    options = {name: value for section in SECTIONS for name, value in sections[section].items()}
    timeout = options.get("timeout", "")
    return PipSettings(
        index=options.get("index-url"),
        extra_indexes=tuple(options.get("extra-index-url", "").split()),
        find_links=tuple(options.get("find-links", "").split()),
        no_index=options.get("no-index", "").lower() in TRUE_WORDS,
        certificates=options.get("cert") or surroundings.get("REQUESTS_CA_BUNDLE"),
        client_certificate=options.get("client-cert"),
        trusted_hosts=tuple(options.get("trusted-host", "").split()),
        proxy=options.get("proxy"),
        timeout_s=int(float(timeout)) if re.fullmatch(r"\d+(\.\d+)?", timeout) else None,
        variant_indexes=json.loads(surroundings.get(VARIANT_INDEXES) or "{}"),
    )


@cache
def pip_settings() -> PipSettings:
    """What pip itself says its settings are, read once per process (about 0.3 s).

    Without a pip beside this interpreter only PIP_* variables count, and a warning is logged.
    """
    command = (sys.executable, "-m", "pip", "config", "list")
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False
    )
    if done.returncode == 0:
        return parse(done.stdout, os.environ)
    logger.warning("pip_settings_not_read", exit_code=done.returncode)
    return parse(_variables_listing(os.environ), os.environ)


def _variables_listing(surroundings: Mapping[str, str]) -> str:
    """PIP_* variables as `pip config list` would show them."""
    return "\n".join(
        f":env:.{name.removeprefix('PIP_').lower().replace('_', '-')}={value!r}"
        for name, value in surroundings.items()
        if name.startswith("PIP_")
    )
