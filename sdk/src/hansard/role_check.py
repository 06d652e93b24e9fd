"""Whether an object plays a role: has its members, and methods that can be called as it says.

The platform has compared sources before; this looks at the objects themselves, in the step.
"""

import inspect
import typing
from typing import Any


def misfit(filler: object, role: Any) -> str | None:
    """Why an object does not play a role, to follow its name in a sentence; None if it does."""
    role = typing.get_origin(role) or role
    if role is Any or not isinstance(role, type):
        return None
    if not getattr(role, "_is_protocol", False):
        return None if isinstance(filler, role) else f"is no `{role.__name__}`"
    for name, declared in role_members(role).items():
        if not hasattr(filler, name):
            return f"has no `{name}`"
        if inspect.isfunction(declared) and (why := _uncallable(getattr(filler, name), declared)):
            return f"has a `{name}` that cannot be called as the role says: {why}"
    return None


def role_members(role: type) -> dict[str, Any]:
    """The members of a Protocol by name: its functions, None for what is only annotated.

    >>> from hansard.roles import TrainablePredictor
    >>> sorted(role_members(TrainablePredictor))
    ['predict', 'train']
    """
    found: dict[str, Any] = {}
    for each in reversed(role.__mro__):
        if getattr(each, "_is_protocol", False):
            found |= dict.fromkeys(each.__annotations__)
            found |= {name: value for name, value in vars(each).items() if name[0] != "_"}
    return found


def _uncallable(method: Any, declared: Any) -> str | None:
    """Why a method cannot be called with all that the role's own takes."""
    if not callable(method):
        return "it is no method"
    kinds = inspect.Parameter
    asked = list(inspect.signature(declared).parameters.values())[1:]
    positional = [p for p in asked if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = {p.name: p for p in asked if p.kind is kinds.KEYWORD_ONLY}
    more = any(p.kind in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD) for p in asked)
    try:
        signature = inspect.signature(method)
    except ValueError:
        return None  # of a method written in C nothing is known
    try:
        (signature.bind_partial if more else signature.bind)(*positional, **named)
    except TypeError as error:
        return str(error)
    return None
