"""Labels of a node: `pool=a100,zone=x`. What they mean is for those who give and ask for them."""

import re

MAX_LABELS = 32

_KEY = re.compile(r"[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?")
_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def parse_labels(text: str) -> dict[str, str]:
    """The labels in a setting, in its order; none for an empty one. Raises ValueError.

    >>> parse_labels("pool=a100, zone=x")
    {'pool': 'a100', 'zone': 'x'}
    """
    labels: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = part.partition("=")
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            raise ValueError(f"`{part}` is no label: write `key=value`, such as `pool=a100`")
        if key in labels:
            raise ValueError(f"the label `{key}` is given twice")
        labels[key] = value
    if len(labels) > MAX_LABELS:
        raise ValueError(f"a node has at most {MAX_LABELS} labels")
    return labels
