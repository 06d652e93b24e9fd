"""Markers come from the folder a test lies in; unit and property tests may not open sockets."""

import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest

_TESTS = Path(__file__).parent
_WITHOUT_SOCKETS = ("unit", "property")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its folder."""
    for item in items:
        if item.path.is_relative_to(_TESTS):
            item.add_marker(item.path.relative_to(_TESTS).parts[0])


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if any(request.node.get_closest_marker(name) for name in _WITHOUT_SOCKETS):
        monkeypatch.setattr(socket.socket, "connect", _refuse)
        monkeypatch.setattr(socket.socket, "bind", _refuse)


def _refuse(*_: Any) -> NoReturn:
    raise AssertionError("unit and property tests open no sockets")
