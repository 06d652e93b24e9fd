"""The policies that a new platform begins with."""

from importlib.resources import files

_FOLDER = files("policies") / "defaults"


def shipped_policies() -> dict[str, str]:
    """YAML text of each policy, by name."""
    found = [file for file in _FOLDER.iterdir() if file.name.endswith(".yaml")]
    return {file.name.removesuffix(".yaml"): file.read_text() for file in sorted(found, key=str)}
