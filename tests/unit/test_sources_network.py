"""Where a data source may lead: addresses, their secrets, and the networks behind names."""

from collections.abc import Sequence
from typing import Any

import pytest

from hansard.sources import AddressRefused, SourceUnavailable, open_source
from hansard.sources.http_file import HttpSource
from hansard.sources.network import Guard, is_public

PUBLIC = "93.184.215.14"


def to(*addresses: str) -> Guard:
    """A guard for which every name has these addresses."""
    return Guard(resolver=lambda host, port: addresses)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:93.184.215.14",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "nonsense",
    ],
)
def test_what_is_not_the_open_internet_is_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(AddressRefused, match="private network"):
        to(address).addresses("data.example.com", 443)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111"])
def test_public_addresses_pass(address: str) -> None:
    assert to(address).addresses("data.example.com", 443) == (address,)
    assert to().addresses(address, 443) == (address,)


@pytest.mark.parametrize(
    "host", ["2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "127.0.0.0x1", "1.1."]
)
def test_numbers_that_a_system_would_read_as_an_address_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused, match="four decimal numbers"):
        to(PUBLIC).addresses(host, 80)


@pytest.mark.parametrize(
    "address",
    [
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://①②⑦.⓪.⓪.①/",
        "https://169.254.169.254/latest/meta-data/",
    ],
)
def test_an_address_that_leads_inside_is_refused_before_connecting(address: str) -> None:
    with pytest.raises(AddressRefused):
        open_source(address).list()


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    with pytest.raises(AddressRefused):
        to(PUBLIC, "10.0.0.1").addresses("data.example.com", 443)


def test_a_name_is_resolved_once_so_that_it_cannot_mean_another_address_later() -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]

    def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    guard = Guard(resolver=rebinding)
    assert guard.addresses("data.example.com", 443) == (PUBLIC,)
    assert guard.addresses("DATA.example.com.", 443) == (PUBLIC,)
    with pytest.raises(AddressRefused):
        guard.addresses("data.example.com", 80)


def test_private_addresses_pass_where_that_is_said() -> None:
    guard = Guard(allow_private=True, resolver=lambda host, port: ["10.0.0.1"])
    assert guard.addresses("nas.example.com", 80) == ("10.0.0.1",)
    with pytest.raises(AddressRefused, match="four decimal numbers"):
        guard.addresses("2130706433", 80)


def test_a_name_without_an_address_is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match="has no address"):
        to().addresses("nothing.example.com", 80)


@pytest.mark.parametrize("host", ["", "a b", "a\r\nb", "a/b", "-a", "a" * 300, "é.example"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        to(PUBLIC).addresses(host, 80)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ftp://example.com/a", "no kind of source"),
        ("http://", "no host"),
        ("http://user:hunter2@example.com/a", "holds credentials"),
        ("https://hunter2@example.com/a", "holds credentials"),
        ("http://exa mple.com/hunter2", "."),
        ("http://[::1/hunter2", "no URL"),
        ("s3://key:hunter2@bucket/a", "s3://bucket/prefix"),
        ("s3://", "s3://bucket/prefix"),
        ("s3://Bad_Bucket/a", "s3://bucket/prefix"),
        ("postgresql://user:hunter2@db/x?query=SELECT&order_by=a", "holds a password"),
        ("postgresql:///x", "postgresql://host:port/database"),
        ("postgresql://db:99999/x", "no URL"),
        ("postgresql://db/x?sslkey=/etc/passwd&query=SELECT&order_by=a", "sslmode"),
        ("postgresql://db/host=evil?query=SELECT&order_by=a", "make no sense"),
        ("sqlite://a.db", "sqlite:///relative/file"),
        ("file://host/a", "file:///absolute/path"),
        ("file://[/a", "no URL"),
        ("a\0b", "no zero byte"),
    ],
)
def test_addresses_that_cannot_be_are_refused_without_repeating_a_secret(
    address: str, reason: str
) -> None:
    with pytest.raises(AddressRefused, match=reason) as caught:
        open_source(address).list()
    assert "hunter2" not in str(caught.value)


def test_a_server_can_permit_only_some_kinds() -> None:
    for address in ("/etc/hostname", "file:///etc/hostname", "sqlite:///x.db"):
        with pytest.raises(AddressRefused, match="not permitted here"):
            open_source(address, kinds=("http", "s3"))


@pytest.mark.parametrize("address", ["/etc/hostname", "http://example.com/a", "s3://bucket/a"])
def test_an_option_that_a_source_does_not_have_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match="has no option `order_by`"):
        open_source(address, order_by="a")


@pytest.mark.parametrize(
    "credentials", [{"token": "a\r\nHost: b"}, {"token": "é"}, {"password": "hunter2"}]
)
def test_credentials_that_are_none_are_refused(credentials: dict[str, Any]) -> None:
    with pytest.raises(AddressRefused, match="printable token"):
        open_source("https://example.com/", credentials=credentials)


def test_what_an_address_may_hide_is_not_shown() -> None:
    source = HttpSource(
        "https://example.com/a.csv?X-Signature=hunter2", credentials={"token": "hunter3"}
    )
    assert repr(source) == "<HttpSource https://example.com/a.csv?X-Signature=...>"


def test_an_endpoint_inside_the_network_is_refused() -> None:
    with pytest.raises(AddressRefused, match="private network"):
        open_source("s3://bucket/a", endpoint="http://169.254.169.254")
    with pytest.raises(AddressRefused, match="without credentials"):
        open_source("s3://bucket/a", endpoint="https://user:hunter2@example.com")
