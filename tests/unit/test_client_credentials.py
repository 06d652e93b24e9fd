"""Where the client finds its server and token."""

import stat
from pathlib import Path

import pytest

from hansard.client_errors import NotConfigured
from hansard.credentials import (
    Credentials,
    credentials_path,
    embedded_path,
    find_credentials,
    save_credentials,
)

SAVED = Credentials("http://saved:1", "saved-token")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HANSARD_DATA_DIR": str(tmp_path / "data")}


def test_arguments_win_over_the_environment_and_that_over_files(
    environment: dict[str, str],
) -> None:
    save_credentials(SAVED, credentials_path(environment))
    assert find_credentials(environment=environment) == SAVED
    environment |= {"HANSARD_URL": "http://env:2/", "HANSARD_TOKEN": "env-token"}
    assert find_credentials(environment=environment) == Credentials("http://env:2", "env-token")
    given = find_credentials("http://given:3", "given-token", environment)
    assert given == Credentials("http://given:3", "given-token")


def test_the_server_of_this_machine_is_found_last(environment: dict[str, str]) -> None:
    local = Credentials("http://127.0.0.1:9", "local-token")
    save_credentials(local, embedded_path(environment))
    assert find_credentials(environment=environment) == local
    save_credentials(SAVED, credentials_path(environment))
    assert find_credentials(environment=environment) == SAVED


def test_a_saved_token_goes_to_no_other_address(environment: dict[str, str]) -> None:
    save_credentials(SAVED, credentials_path(environment))
    with pytest.raises(NotConfigured, match="hansard login"):
        find_credentials("http://elsewhere:1", environment=environment)


def test_a_given_token_is_used_for_a_saved_address(environment: dict[str, str]) -> None:
    save_credentials(SAVED, credentials_path(environment))
    assert find_credentials("http://saved:1", "own", environment).token == "own"


def test_saved_credentials_are_for_the_user_only(environment: dict[str, str]) -> None:
    path = credentials_path(environment)
    save_credentials(SAVED, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_damaged_file_says_what_to_do(environment: dict[str, str]) -> None:
    path = credentials_path(environment)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(NotConfigured, match="remove it"):
        find_credentials(environment=environment)


def test_no_server_at_all_says_how_to_get_one(environment: dict[str, str]) -> None:
    with pytest.raises(NotConfigured, match="hansard up"):
        find_credentials(environment=environment)


@pytest.mark.parametrize("url", ["localhost:1", "ftp://x", "http://", "x"])
def test_only_web_addresses_are_taken(url: str) -> None:
    with pytest.raises(NotConfigured):
        find_credentials(url, "token", {})


def test_a_token_is_in_no_repr() -> None:
    assert "saved-token" not in repr(SAVED)
