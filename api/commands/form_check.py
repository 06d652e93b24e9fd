"""Holds values that somebody gives against the form that asks for them."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from api.commands.findings import Findings
from domain.errors import Invalid
from domain.secret_references import takes_secret, with_references

_BY_NAME = 'does not fit; a secret is given by its name: {"secret": NAME}'
"""Said in place of what tells the value."""


def checked_values(
    findings: Findings, field: str, form: Mapping[str, Any], given: dict[str, Any]
) -> dict[str, Any]:
    """The values; each that is wrong is found.

    What may be a secret that somebody gave as it is goes no further.
    """
    untold: set[str] = set()
    for error in Draft202012Validator(with_references(form)).iter_errors(given):
        path = [str(each) for each in error.absolute_path]
        where, message = ".".join([field, *path]), error.message
        if path and takes_secret(form["properties"].get(path[0])):
            message = _BY_NAME
            untold.add(path[0])
        findings.add(where, Invalid(f"{where}: {message}"))
    return {name: value for name, value in given.items() if name not in untold}
