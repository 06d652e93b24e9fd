"""Values for what methods of a part take beyond what their role gives, by method and name."""

from collections.abc import Mapping
from typing import Any

from api.commands.findings import Findings
from api.commands.form_check import checked_values
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
    found: dict[str, Any] = {}
    with findings.about(field):
        checked_json(given, field)
        for method, values in given.items():
            form, where = forms.get(method), f"{field}.{method}"
            if form is None or method.startswith("_"):
                detail = f"{where}: `{method}` takes nothing that a user could give"
                findings.add(where, Invalid(detail))
                continue
            found[method] = checked_values(findings, where, {**form, "required": []}, values)
    return {method: values for method, values in found.items() if values}
