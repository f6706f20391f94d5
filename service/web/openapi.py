"""The OpenAPI description: problems put into it, and its routes as lines for the API page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from service.web.problems import Invalid, Problem

REF = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the API."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[str, ...]


class DescribedApp(FastAPI):
    """An application whose description holds the shape of problems, too; it is made when it is first asked for."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI description; always the same object."""
        if not self.openapi_schema:  # it takes longer than everything else that a start does
            _, shapes = models_json_schema([(Problem, "serialization"), (Invalid, "serialization")], ref_template=REF)
            super().openapi()["components"]["schemas"] |= shapes["$defs"]
        return super().openapi()


def routes(description: Mapping[str, Any]) -> list[Route]:
    """Each route of an OpenAPI description, in its order.

    >>> routes({"paths": {"/x": {"get": {"summary": "X", "parameters": [{"name": "limit"}]}}}})
    [Route(method='GET', path='/x', summary='X', description='', parameters=('limit',))]
    """
    return list(_routes(description))


def _routes(description: Mapping[str, Any]) -> Iterator[Route]:
    for path, methods in description.get("paths", {}).items():
        for method, route in methods.items():
            parameters = tuple(parameter["name"] for parameter in route.get("parameters", ()))
            yield Route(method.upper(), path, route.get("summary", ""), route.get("description", ""), parameters)
