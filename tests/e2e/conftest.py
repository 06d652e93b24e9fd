"""Platforms of the stories share their environments: each is built once in a test run."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANSARD_ENVIRONMENTS_DIR", str(tmp_path_factory.mktemp("environments")))
        yield
