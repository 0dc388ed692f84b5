"""The OpenAPI 3.1 document, made from the declared endpoints and their models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from admin.operators import signing_in
from admin.pages import csrf
from admin.problems import CONTENT_TYPE
from admin.routing import Endpoint
from gateway import __version__
from gateway.event_streams import MEDIA_TYPE

_REF = "#/components/schemas/{model}"
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "operator": [{"key": []}, {"session": []}],
    "shopper": [{"token": []}],
    "guest": [{"token": []}, {}],
    "anybody": [],
}
_ALWAYS = (400, 413, 422, 503)
"""Statuses that any operation may answer."""


class FieldProblem(BaseModel):
    """One broken rule of an input."""

    field: str = Field(description="dotted path, list positions from 0", examples=["items.0.price"])
    code: str = Field(examples=["not_below_base"])
    message: str
    row: int | None = Field(default=None, description="of a CSV file, whose header is row 1")


class Problem(BaseModel):
    """RFC 9457. Further members may name the state, the field or the lowest possible value."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:seckill:problem:invalid"])
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(default_factory=list, description="with status 422: all broken rules")


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The whole document as JSON."""
    bodies = {model for each in endpoints if each.body for model in each.body.models}
    replies = {each.reply for each in endpoints if each.reply}
    # Python models of input and output with one name would be told apart by suffixes; ours never share one.
    ordered = sorted(bodies | replies | {Problem}, key=lambda model: model.__name__)
    modes: list[Any] = [(model, "validation" if model in bodies else "serialization") for model in ordered]
    _, definitions = models_json_schema(modes, ref_template=_REF)
    paths: dict[str, Any] = {}
    for each in endpoints:
        paths.setdefault(each.public_path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Seckill sidecar",
            "version": __version__,
            "description": "Operators' and shoppers' API. Money is in minor units; unknown fields are refused.",
        },
        "paths": paths,
        "components": {
            "schemas": _tidy(definitions["$defs"]),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "an operator's key"},
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "a shopper's token",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": signing_in.COOKIE,
                    "description": f"a signed-in operator; changes also need the page's proof in {csrf.HEADER}",
                },
            },
        },
    }


def _operation(each: Endpoint) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": _ref(each.reply)}} if each.reply else {}
    for media_type in each.other_types:
        # Of a stream of events, what is read is each event.
        content[media_type] = {"schema": {} if media_type == MEDIA_TYPE else {"type": "string"}}
    replies: dict[str, Any] = {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in (each.status, *each.also)
    }
    refused = (401, 403, *_ALWAYS) if each.caller != "anybody" else _ALWAYS
    for status in sorted({*refused, *each.problems}):
        replies.setdefault(
            str(status),
            {
                "description": HTTPStatus(status).phrase,
                "content": {CONTENT_TYPE: {"schema": _ref(Problem)}},
            },
        )
    operation: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [each.tag],
        "parameters": _parameters(each),
        "responses": replies,
    }
    operation["security"] = _SECURITY[each.caller]
    if each.body is not None:
        operation["requestBody"] = _body(each)
    return operation


def _body(each: Endpoint) -> dict[str, Any]:
    assert each.body is not None
    models = each.body.models
    schema: dict[str, Any] = {"anyOf": [_ref(model) for model in models]} if models else {"type": "string"}
    if len(models) == 1:
        schema = _ref(models[0])
    content: dict[str, Any] = {"schema": schema}
    if each.body.examples:
        content["examples"] = {name: {"value": value} for name, value in each.body.examples.items()}
    return {"required": not each.body.optional, "content": {each.body.media_type: content}}


def _parameters(each: Endpoint) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", each.public_path)
    ]
    if each.method in {"PATCH", "DELETE"}:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": "the revision you know; a stale one is 412",
                "schema": {"type": "string"},
                "example": '"3"',
            }
        )
    for name, meaning in each.headers.items():
        parameters.append(
            {"name": name, "in": "header", "required": False, "description": meaning, "schema": {"type": "string"}}
        )
    schema = _tidy(each.query.model_json_schema(ref_template=_REF))
    required = schema.get("required", [])
    for name, about in schema.get("properties", {}).items():
        parameters.append({"name": name, "in": "query", "required": name in required, "schema": about})
    return parameters


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _tidy(schema: Any) -> Any:
    """Without `default: null`, which here means "may be left out", not "null is sent"."""
    if isinstance(schema, dict):
        return {
            name: _tidy(value)
            for name, value in schema.items()
            if not (name == "default" and value is None) and not (name == "title" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_tidy(value) for value in schema]
    return schema
