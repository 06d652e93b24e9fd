"""Nothing is read without a decision: neither a query of the read models nor a route of the API."""

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api import dependencies
from api.main import create_app
from api.services import Services

ROOT = Path(__file__).parents[2]
DECISIONS = {"Listing", "Permit", "Access", "PolicySet"}
FOLDING = {
    *("batch", "compaction", "compatibility", "event_rows", "inherited", "main", "projector"),
    *("rebuild", "registries", "schema_check", "status", "telemetry"),
}
"""Modules that write the tables, or tell of the projector: no caller's question reaches them."""
WHOLE = {("series", "read_attempt"), ("questions", "lately_changed_users")}
"""What a rebuild compares, and whose loss an activation is measured by; no answer shows them."""
WITHOUT_CALLER = {"/healthz", "/readyz", "/metrics"}
DECIDED_BY_HAND = {
    ("PUT", "/v1/files/{digest}"),  # content is stored, nothing is told
    ("GET", "/v1/files/{digest}"),  # a user's listings, or the inputs of a run
    ("DELETE", "/v1/artifacts/{id_}"),  # of bytes that the caller committed
    ("POST", "/v1/session"),  # the password decides
    ("DELETE", "/v1/session"),  # closes the caller's own token
    ("GET", "/v1/users/me"),  # tells callers of themselves
    ("POST", "/v1/invitations/accept"),  # the invitation's secret decides
    ("POST", "/v1/invitations/join"),
    ("POST", "/v1/uploads/{upload}/missing"),  # what the caller may not read is missing
    ("PUT", "/v1/uploads/{upload}/packs"),  # content is stored, nothing is told
    ("POST", "/v1/artifacts"),  # a guard for users; a run commits for itself
    # What an artifact belongs to decides, by the record: a user's rights, or the inputs of a run.
    ("GET", "/v1/artifacts/{id_}/layout"),
    ("POST", "/v1/artifacts/{id_}/get"),
    ("GET", "/v1/artifacts/{id_}/files"),
    ("GET", "/v1/artifacts/{id_}/files/{path}"),
}


def queries() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Public functions of the read side that are given a connection."""
    for file in sorted((ROOT / "projections").glob("*.py")):
        if file.stem in FOLDING:
            continue
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                if (file.stem, node.name) in WHOLE:
                    continue
                if "Connection" in {ast.unparse(a.annotation) for a in _arguments(node)}:
                    yield file.stem, node


def _arguments(node: ast.FunctionDef) -> list[Any]:
    return [a for a in (*node.args.args, *node.args.kwonlyargs) if a.annotation is not None]


def test_each_query_takes_a_decision() -> None:
    found = list(queries())
    assert len(found) >= 8
    for module, node in found:
        required = node.args.args[: len(node.args.args) - len(node.args.defaults)]
        given = {ast.unparse(a.annotation) for a in required if a.annotation is not None}
        assert given & DECISIONS, f"{module}.{node.name} is asked without a decision"


def test_no_route_holds_sql_of_its_own() -> None:
    for file in (ROOT / "api" / "routes").glob("*.py"):
        calls = [
            node
            for node in ast.walk(ast.parse(file.read_bytes()))
            if isinstance(node, ast.Attribute) and node.attr in ("execute", "executemany", "copy")
        ]
        assert calls == [], file.name


def routes() -> list[APIRoute]:
    return list(_within(_app().routes))


def _within(found: Iterable[Any]) -> Iterator[APIRoute]:
    """All routes, also those of routers that were included."""
    for route in found:
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from _within(router.routes)


def _app() -> FastAPI:
    return create_app(cast("Services", None))


def path_of(route: APIRoute) -> str:
    path = route.path_format
    return path if path in WITHOUT_CALLER else f"/v1{path}"


def test_each_route_depends_on_a_decision() -> None:
    deciding = {dependencies.access, dependencies.guard, dependencies.asking_guard}
    for route in routes():
        for method in route.methods or ():
            decided = deciding & set(_calls(route.dependant))
            known = path_of(route) in WITHOUT_CALLER or (method, path_of(route)) in DECIDED_BY_HAND
            assert decided or known, f"{method} {route.path}"


def test_the_exceptions_are_still_there() -> None:
    there = {(method, path_of(route)) for route in routes() for method in route.methods or ()}
    assert there >= DECIDED_BY_HAND
    assert {path for _, path in there} == {
        path for path in _app().openapi()["paths"] if path != "/v1/openapi.json"
    }


def _calls(dependant: Dependant) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)


@pytest.mark.parametrize("name", ["AccessOf", "GuardOf"])
def test_the_dependencies_are_what_routes_name(name: str) -> None:
    _, depends = get_args(getattr(dependencies, name))
    assert inspect.iscoroutinefunction(depends.dependency)
