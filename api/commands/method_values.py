"""Values for what methods of a part take beyond what their role gives, by method and name."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from api.commands.findings import Findings
from domain.errors import Invalid
from domain.plain_data import checked_json
from domain.signatures.matching import Fit

Forms = Mapping[str, dict[str, Any]]
Values = Mapping[str, dict[str, Any]]


def forms_of(fit: Fit, kind: str) -> dict[str, dict[str, Any]]:
    """By method the schema of what a user gives; `execute` gets the parameters of its executor."""
    form = "execute" if kind == "executor" else None
    return {method: each for method, each in fit.fields.items() if method != form}


def missing(forms: Forms, given: Values) -> list[str]:
    """What nobody would give, in words."""
    return [
        f"`{method}` requires `{name}`, which the role does not give"
        for method, form in forms.items()
        for name in form["required"]
        if name not in given.get(method, {})
    ]


def check_values(findings: Findings, field: str, forms: Forms, given: Values) -> dict[str, Any]:
    """The values for the record, without methods that are given none; what is wrong is found."""
    with findings.about(field):
        checked_json(given, field)
        for method, values in given.items():
            where = f"{field}.{method}"
            for at, why in _flaws(method, values, forms.get(method)):
                findings.add(f"{where}{at}", Invalid(f"{where}{at}: {why}"))
    return {method: values for method, values in given.items() if values}


def _flaws(
    method: str, values: dict[str, Any], form: dict[str, Any] | None
) -> Iterator[tuple[str, str]]:
    if form is None or method.startswith("_"):
        yield "", f"`{method}` takes nothing that a user could give"
        return
    for name, schema in form["properties"].items():
        if name in values and _is_secret(schema):
            yield f".{name}", "a secret belongs into the parameters of the constructor"
            return
    for error in Draft202012Validator({**form, "required": []}).iter_errors(values):
        yield "".join(f".{each}" for each in error.absolute_path), error.message


def _is_secret(schema: Any) -> bool:
    """Whether a secret could be anywhere in it: what methods are given is recorded as it is."""
    if isinstance(schema, dict):
        inner = schema.values()
        return schema.get("format") == "secret" or any(map(_is_secret, inner))
    return isinstance(schema, list) and any(map(_is_secret, schema))
