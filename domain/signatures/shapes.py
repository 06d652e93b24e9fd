"""Of signatures, what matching looks at: many versions share it, and are then compared once.

A digest names what a candidate offers, or what a slot demands.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from domain.signatures.matching import Offer
from domain.signatures.slots import Role

Shape = dict[str, Any]


def offered(signature: Mapping[str, Any]) -> Shape:
    """What a version offers. Of what a form asks it keeps only that it does."""
    return {
        "methods": {name: _lean(each) for name, each in signature["methods"].items()},
        "attributes": signature["attributes"],
        "open": signature["open"],
        "doubts": signature["doubts"],
    }


def demanded(signature: Mapping[str, Any], slot: str) -> Shape:
    """What a slot of an executor asks for: its roles, whatever they are called or say of it."""
    names = signature["slots"][slot]["roles"]
    roles = [{**signature["roles"][name], "doc": ""} for name in names]
    return {"roles": sorted(roles, key=_text)}


def digest_of(shape: Shape) -> str:
    """A name for the shape: 24 hex digits."""
    return sha256(_text(shape).encode()).hexdigest()[:24]


def offer_in(shape: Shape) -> Offer:
    """As matching takes it."""
    return Offer.of(shape)


def roles_in(shape: Shape) -> list[Role]:
    """As matching takes them; they have no names."""
    return [Role.of_json("role", role) for role in shape["roles"]]


def slot_digests(signature: Mapping[str, Any]) -> dict[str, str]:
    """The digest of what each slot demands."""
    return {slot: digest_of(demanded(signature, slot)) for slot in signature["slots"]}


def _lean(method: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [
        {**each, "schema": {}} if "schema" in each else each for each in method["parameters"]
    ]
    return {**method, "parameters": parameters}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
