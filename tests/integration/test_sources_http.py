"""The HTTP source against a real server: resuming, changes, redirects, names and certificates."""

import datetime
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hansard.sources import (
    AddressRefused,
    NotResumable,
    SourceChanged,
    SourceDenied,
    SourceError,
    SourceMissing,
    SourceTooLarge,
    SourceUnavailable,
    check_reference,
    fetch,
    open_source,
    reference,
)
from tests.integration.file_server import DATE, Served, serving

CONTENT = bytes(range(256)) * 4_000
SECRET = "hunter2"


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(Served(CONTENT)) as found:
        yield found


def opened(served: Served, **options: Any) -> Any:
    return open_source(served.address, **{"allow_private": True, **options})


def test_a_file_is_fetched_and_digested(served: Served, tmp_path: Path) -> None:
    [entry] = fetch(opened(served), tmp_path / "copy")
    assert (entry.path, entry.size, entry.fingerprint) == ("data.bin", len(CONTENT), 'etag:"one"')
    assert (tmp_path / "copy/data.bin").read_bytes() == CONTENT
    assert {asked["accept-encoding"] for asked in served.asked} == {"identity"}


def test_a_cut_connection_is_resumed_where_it_was(served: Served, tmp_path: Path) -> None:
    source = opened(served)
    source.list()
    served.cuts = 3
    fetch(source, tmp_path / "copy")
    assert (tmp_path / "copy/data.bin").read_bytes() == CONTENT
    resumed = [asked for asked in served.asked if "range" in asked]
    assert resumed
    assert all(asked["if-range"] == '"one"' for asked in resumed)
    assert not any(asked["range"].startswith("bytes=0-") for asked in resumed)


def test_a_large_file_comes_in_several_ranges(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hansard.sources.fetching.PART_BYTES", 100_000)
    fetch(opened(served), tmp_path / "copy")
    assert (tmp_path / "copy/data.bin").read_bytes() == CONTENT
    assert sum("range" in asked for asked in served.asked) == 11


@pytest.mark.parametrize("changes", [{"ranges": False}, {"etag": None}, {"etag": 'W/"one"'}])
def test_what_cannot_be_resumed_is_read_from_the_start(
    served: Served, tmp_path: Path, changes: dict[str, Any]
) -> None:
    for name, value in changes.items():
        setattr(served, name, value)
    source = opened(served)
    source.list()
    with pytest.raises(NotResumable):
        list(source.open("data.bin", 10))
    served.cuts = 1
    fetch(source, tmp_path / "copy")
    assert (tmp_path / "copy/data.bin").read_bytes() == CONTENT


def test_a_date_serves_where_there_is_no_etag(served: Served) -> None:
    served.etag, served.modified = None, DATE
    source = opened(served)
    assert b"".join(source.open("data.bin", 10, 20)) == CONTENT[10:30]
    assert served.asked[-1]["if-range"] == DATE


def test_an_answer_without_a_length_is_read_whole(served: Served, tmp_path: Path) -> None:
    served.chunked = True
    [entry] = fetch(opened(served), tmp_path / "copy")
    assert entry.size == len(CONTENT)
    served.cuts = 100
    with pytest.raises(SourceUnavailable):
        list(opened(served).open("data.bin"))


def test_a_change_is_noticed_at_the_start_and_in_the_middle(served: Served, tmp_path: Path) -> None:
    source = opened(served)
    source.list()
    served.etag = '"two"'
    for start in (0, 10):
        with pytest.raises(SourceChanged):
            list(source.open("data.bin", start))
    with pytest.raises(SourceChanged):
        check_reference({**reference(opened(served)), "etag": "x", "entries_digest": "x"}, source)


def test_without_an_etag_the_fingerprint_is_of_the_content(served: Served) -> None:
    served.etag, served.modified = None, DATE
    document = reference(opened(served))
    assert document["entries"][0]["fingerprint"].startswith("blake3:")
    check_reference(document, opened(served))
    served.content = CONTENT[:-1] + b"\0"
    with pytest.raises(SourceChanged, match=r"changed: `data\.bin`"):
        check_reference(document, opened(served))


def test_more_bytes_than_allowed_are_refused_also_where_the_length_is_not_said(
    served: Served,
) -> None:
    with pytest.raises(SourceTooLarge):
        opened(served, max_bytes=1_000).list()
    served.chunked = True
    source = opened(served, max_bytes=1_000)
    source.list()
    with pytest.raises(SourceTooLarge):
        list(source.open("data.bin"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, SourceDenied),
        (403, SourceDenied),
        (404, SourceMissing),
        (418, SourceError),
        (429, SourceUnavailable),
        (503, SourceUnavailable),
    ],
)
def test_a_refusal_is_told_by_its_kind(
    served: Served, status: int, kind: type[SourceError]
) -> None:
    served.status = status
    with pytest.raises(SourceError) as caught:
        open_source(f"{served.address}?token={SECRET}", allow_private=True).list()
    assert type(caught.value) is kind
    assert SECRET not in str(caught.value)


def test_a_packed_answer_is_refused(served: Served) -> None:
    served.encoding = "gzip"
    with pytest.raises(SourceError, match="packed"):
        opened(served).list()


def by_name(*names: str) -> Any:
    """A resolver for which these names are public addresses, and the rest this machine."""

    def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14"] if host in names else ["127.0.0.1"]

    return resolve


def test_loopback_is_refused_without_connecting(served: Served) -> None:
    for host in ("127.0.0.1", "localhost", "data.example.com", "2130706433", "[::ffff:127.0.0.1]"):
        with pytest.raises(AddressRefused):
            open_source(f"http://{host}:{served.port}/a", resolver=by_name()).list()
    assert served.asked == []


class _Permitting:
    """Stands for the open internet: every address but one passes for a public one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
        monkeypatch.setattr("hansard.sources.network.is_public", lambda address: address != refused)


def test_a_redirect_inside_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    _Permitting(monkeypatch, refused="127.0.0.2")
    for target in ("http://127.0.0.2/", "//127.0.0.2:80/", "http://meta.example.com/"):
        served.redirect = target
        with pytest.raises(AddressRefused, match="private network"):
            open_source(
                f"http://data.example.com:{served.port}/a",
                resolver=lambda host, _: ["127.0.0.2" if host.startswith("meta") else "127.0.0.1"],
            ).list()
    for target in ("file:///etc/passwd", "http://a:b@127.0.0.1/", "", "http://["):
        served.redirect = target
        with pytest.raises(AddressRefused):
            open_source(f"http://data.example.com:{served.port}/a", resolver=by_name()).list()


def test_a_name_that_is_rebound_to_the_inside_still_leads_to_what_was_checked(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Permitting(monkeypatch, refused="127.0.0.2")
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    source = open_source(
        f"http://data.example.com:{served.port}/a.bin", resolver=lambda host, port: answers.pop(0)
    )
    assert b"".join(source.open("a.bin")) == CONTENT
    assert {asked["host"] for asked in served.asked} == {f"data.example.com:{served.port}"}
    assert answers == [["127.0.0.2"]]


def test_redirects_are_followed_but_not_for_ever(served: Served) -> None:
    with serving(Served(redirect=served.address)) as first:
        assert b"".join(opened(first).open("data.bin")) == CONTENT
        first.redirect = first.address
        first.asked.clear()
        with pytest.raises(AddressRefused, match="more than 5 redirects"):
            opened(first).list()
        assert len(first.asked) == 6


def test_credentials_go_to_their_own_server_only(served: Served) -> None:
    with serving(Served(redirect=served.address)) as first:
        source = opened(first, credentials={"token": SECRET})
        document = source.fingerprint()
    assert first.asked[0]["authorization"] == f"Bearer {SECRET}"
    assert "authorization" not in served.asked[0]
    assert SECRET not in json.dumps(document) + repr(source)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for data.example.com, which signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "data.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("data.example.com")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


def test_tls_is_checked_for_the_name_though_the_connection_goes_to_an_address(
    certificate: Path,
) -> None:
    with serving(Served(CONTENT), certificate) as served:
        options = {"allow_private": True, "resolver": by_name(), "ca_file": certificate}
        good = f"https://data.example.com:{served.port}/a.bin"
        assert b"".join(open_source(good, **options).open("a.bin")) == CONTENT
        with pytest.raises(SourceError, match="certificate is not trusted"):
            open_source(f"https://other.example.com:{served.port}/a.bin", **options).list()
        with pytest.raises(SourceError, match="certificate is not trusted"):
            open_source(good, allow_private=True, resolver=by_name()).list()
        served.redirect = f"http://data.example.com:{served.port}/a.bin"
        with pytest.raises(AddressRefused, match="from https to http"):
            open_source(good, **options).list()
