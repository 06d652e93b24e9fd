"""Signatures as they were first recorded, names only, in the present format.

What was not recorded then (types, how a parameter may be given) is said to be unchecked.
"""

from collections.abc import Mapping
from typing import Any

from domain.signatures.functions import KEYWORDS, NAMED, POSITIONALS, Function, Parameter
from domain.signatures.slots import Role

_OPEN_FORM = {"type": "object", "properties": {}, "required": [], "additionalProperties": True}


_TRAIN = Function(
    (
        Parameter("data", NAMED, True, None),
        Parameter("args", POSITIONALS, False, "any"),
        Parameter("kwargs", KEYWORDS, False, "any"),
    ),
    "any",
)
_PREDICT = Function((Parameter("inputs", NAMED, True, "any"),), "any")
_ROLES = {
    role.name: role
    for role in (
        Role("SupervisedData", {"load": Function((), "any")}),
        Role("Trainable", {"train": _TRAIN}),
        Role("Predictor", {"predict": _PREDICT}),
        Role("TrainablePredictor", {"train": _TRAIN, "predict": _PREDICT}),
    )
}
"""All that the SDK shipped while the first format was written."""


def translated(signature: Mapping[str, Any]) -> dict[str, Any]:
    """A signature of the first format in the present one."""
    roles = {slot["role"]: _role_of(slot["role"]) for slot in signature["slots"].values()}
    return {
        "format": 2,
        "parameters": signature.get("parameters", _OPEN_FORM),
        "methods": {
            name: _function(parameters).as_json()
            for name, parameters in signature["methods"].items()
        },
        "attributes": {},
        "open": [],
        "doubts": [],
        "slots": {
            name: {"roles": [slot["role"]], "many": False, "optional": slot["optional"]}
            for name, slot in signature["slots"].items()
        },
        "roles": {name: role.as_json() for name, role in roles.items()},
        "doc": signature.get("doc", ""),
    }


def _function(parameters: list[dict[str, Any]]) -> Function:
    read = tuple(Parameter(p["name"], p["kind"], p["required"], None) for p in parameters)
    return Function(read, None)


def _role_of(name: str) -> Role:
    unknown = Role(name, unchecked=(f"role `{name}` was not recorded when it was published",))
    return _ROLES.get(name, unknown)
