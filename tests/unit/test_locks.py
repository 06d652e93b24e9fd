"""Lock digests, what uv is told of pip's settings, and what people are told of uv's errors."""

from dataclasses import replace
from pathlib import Path

import pytest

import infra.environments.locks
from infra.environments.locks import MAX_DETAIL_CHARS, Lock, LockFailed, explain, lock, run_uv
from infra.environments.pip_settings import PipSettings, parse

LOCK = Lock(
    text="idna==3.10 \\\n    --hash=sha256:00\n",
    python="3.11",
    variant="cpu",
    sdk="ab" * 32,
    platform="linux-x86_64",
)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "hansard-0.1.0-py3-none-any.whl"
    path.write_bytes(b"a wheel")
    return path


def refusal(requirements: list[str], wheel: Path) -> str:
    with pytest.raises(LockFailed) as caught:
        lock(requirements, python="3.11", sdk_wheel=wheel, cache=wheel.parent)
    assert not caught.value.retryable
    return caught.value.detail


@pytest.fixture
def uv_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the test fills, run in the place of uv."""
    script = tmp_path / "uv"
    script.touch(mode=0o700)
    monkeypatch.setattr(infra.environments.locks, "pip_settings", PipSettings)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(script))
    return script


def test_the_digest_of_a_lock_never_changes_between_releases() -> None:
    assert LOCK.digest == "250f92cdd84bd9588dd2110f0b5ff1534549b0fa7418b7c0f45c457c74b59abe"


@pytest.mark.parametrize("fact", ["text", "python", "variant", "sdk", "platform"])
def test_every_fact_of_a_lock_is_part_of_its_digest(fact: str) -> None:
    assert replace(LOCK, **{fact: "other"}).digest != LOCK.digest


@pytest.mark.parametrize(
    "line", ["-r /etc/passwd", "--index-url http://127.0.0.1/", "./local", "idna\n-e .", "a b", ""]
)
def test_only_requirements_reach_uv_and_no_options_or_files(line: str, wheel: Path) -> None:
    assert "is not a requirement" in refusal(["iniconfig", line], wheel)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "https://127.0.0.1/a-1-py3-none-any.whl"]
)
def test_a_requirement_cannot_name_an_address(address: str, wheel: Path) -> None:
    assert "asks for an address" in refusal([f"a @ {address}"], wheel)


def test_a_password_in_a_refused_line_is_not_repeated(wheel: Path) -> None:
    assert "secret" not in refusal(["-i https://me:secret@127.0.0.1/simple"], wheel)


def test_the_sdk_is_never_asked_of_an_index(wheel: Path) -> None:
    own = lock(["hansard>=0.1", "Hansard"], python="3.11", sdk_wheel=wheel, cache=wheel.parent)
    assert own.text == ""


def test_another_sdk_than_the_platform_carries_is_refused(wheel: Path) -> None:
    assert "this platform carries hansard 0.1.0" in refusal(["hansard>=2"], wheel)


def test_the_server_cannot_be_required(wheel: Path) -> None:
    assert "part of the server" in refusal(["Hansard_Server"], wheel)


@pytest.mark.parametrize(
    ("stderr", "detail"),
    [
        (
            "error: No solution found when resolving dependencies\n  cause: Because there is no "
            "version of idna==99.1 and you require idna==99.1, we can conclude that your "
            "requirements are unsatisfiable.\n",
            "the requirements cannot be met: there is no version of idna==99.1 and you require "
            "idna==99.1",
        ),
        (
            "error: No solution found when resolving\n  cause: Because a==1 depends on "
            "b<3 and you require a==1, we can conclude that you require b<3.\n         And because "
            "you require b>=3, we can conclude that your requirements are unsatisfiable.\n\n"
            "hint: `b` was found on file:///srv/index, but not at the requested version\n",
            "the requirements cannot be met: a==1 depends on b<3 and you require a==1, so you "
            "require b<3; and you require b>=3",
        ),
        (
            "error: Request failed after 3 retries in 9.1s\n  cause: Failed to fetch: "
            "http://me:secret@index.corp/simple/idna/\n  cause: tcp connect error\n  cause: "
            "Connection refused (os error 111)\n",
            "the package index could not be reached: Connection refused (os error 111)",
        ),
        (
            "error: Failed to read `/srv/data/cache/x.whl` of https://me:secret@index.corp/x\n",
            "Failed to read `…` of …",
        ),
        ("", "uv failed"),
    ],
)
def test_errors_of_uv_become_one_line_without_hosts_and_paths(stderr: str, detail: str) -> None:
    assert explain(stderr) == detail


def test_an_explanation_has_a_bound() -> None:
    assert len(explain("error: " + "long " * 1000)) == MAX_DETAIL_CHARS


LISTING = """\
:env:.find-links='/opt/my wheels'
:env:.default-timeout='60'
freeze.timeout='10'
global.cert='/etc/ca.pem'
global.find-links='/never'
global.index-url='https://me:secret@index.corp/simple'
global.extra-index-url='\\nfile:///a/simple\\nfile:///b/simple'
global.trusted-host='index.corp other.corp'
install.cert='/etc/install.pem'
"""


def test_the_environment_wins_over_the_section_and_that_over_global() -> None:
    settings = parse(LISTING, {})
    assert settings.find_links == ("/opt/my", "wheels")  # pip splits at blanks, too
    assert settings.certificates == "/etc/install.pem"
    assert settings.timeout_s == 60


def test_pip_settings_reach_uv_by_its_environment() -> None:
    settings = replace(parse(LISTING, {}), find_links=("/opt/a, b", "https://links.corp/x"))
    surroundings = {"PATH": "/bin", "HANSARD_TOKEN": "t", "UV_INDEX": "x", "SSL_CERT_FILE": "old"}
    assert settings.uv_environment(surroundings) == {
        "PATH": "/bin",
        "SSL_CERT_FILE": "/etc/install.pem",
        "UV_DEFAULT_INDEX": "https://me:secret@index.corp/simple",
        "UV_INDEX": "file:///a/simple file:///b/simple",
        "UV_FIND_LINKS": "file:///opt/a%2C%20b,https://links.corp/x",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "index.corp other.corp",
        "UV_HTTP_TIMEOUT": "60",
    }


def test_settings_do_not_show_passwords() -> None:
    assert "secret" not in repr(parse(LISTING, {}))


def test_certificates_of_a_folder_and_of_requests_count() -> None:
    assert (
        parse("", {"REQUESTS_CA_BUNDLE": "/ca.pem"}).uv_environment({})["SSL_CERT_FILE"]
        == "/ca.pem"
    )
    assert PipSettings(certificates="/").uv_environment({})["SSL_CERT_DIR"] == "/"


def test_without_sources_of_the_users_torch_comes_from_the_index_of_the_variant() -> None:
    assert parse("", {}).uv_arguments("cpu") == ("--torch-backend=cpu",)
    assert parse("global.timeout='3'", {}).uv_arguments("cu130") == ("--torch-backend=cu130",)


def test_sources_of_the_users_are_left_as_they_are() -> None:
    assert parse("global.find-links='/nowhere/wheels'", {}).uv_arguments("cpu") == ()
    assert parse(":env:.no-index='1'", {}).uv_arguments("cpu") == ("--no-index",)


def test_uv_sees_no_secret_of_ours_and_keeps_a_file_lock_when_its_caller_is_killed(
    uv_script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv_script.write_text("#!/bin/sh\nenv; ls /dev/fd/\n")
    monkeypatch.setenv("HANSARD_TOKEN", "secret")
    with (tmp_path / "lock").open("w") as file:
        held = file.fileno()
        told = run_uv(cache=tmp_path, timeout_s=10, failure=LockFailed, held=(held,)).splitlines()
    assert str(held) in told
    assert not [line for line in told if "secret" in line]


def test_a_silent_uv_is_given_up_and_may_be_tried_again(uv_script: Path, tmp_path: Path) -> None:
    uv_script.write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(LockFailed, match=r"no answer within 0\.1 s") as caught:
        run_uv(cache=tmp_path, timeout_s=0.1, failure=LockFailed)
    assert caught.value.retryable
