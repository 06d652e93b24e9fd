"""Bundles that extend others: files of the upper layer stand in front of those below."""

from collections.abc import Mapping, Sequence

from hansard.formats import archive

MAX_LAYERS = 8
"""Below a bundle: the versions that it extends, one upon the other."""


def merged(layers: Sequence[Mapping[str, bytes]]) -> dict[str, bytes]:
    """The files that are seen, the lowest layer first.

    Raises BundleError if they are too much for one bundle, or if a name of one layer is a folder of
    another, or differs only in form.
    """
    files: dict[str, bytes] = {}
    for layer in layers:
        files |= layer
    archive.check_names(files)
    archive.check_size(len(files), sum(map(len, files.values())))
    return files
