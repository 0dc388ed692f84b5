"""The five operations that every plain record has: create, list, read, change, delete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from admin.operators.roles import Role
from admin.paging import Page
from admin.resources import Resources
from admin.routing import Body, Call, Endpoint


class Deleted(BaseModel):
    """What is gone."""

    deleted: str


class Service(Protocol):
    """The functions behind the operations; a module that has them will do."""

    def create(self, resources: Resources, body: object, /, *, actor: str) -> BaseModel:
        """Make a record."""

    def page(self, resources: Resources, wanted: Any, /) -> BaseModel:
        """A page of records."""

    def read(self, resources: Resources, key: str, /) -> BaseModel:
        """One record."""

    def change(
        self, resources: Resources, key: str, body: object, /, *, actor: str, if_match: int | None
    ) -> BaseModel:
        """Change some fields of a record."""

    def remove(self, resources: Resources, key: str, /, *, actor: str, if_match: int | None) -> None:
        """Delete a record."""


@dataclass(frozen=True, slots=True)
class Summaries:
    """What the operations do, in one line each. Reading needs no words of its own."""

    create: str
    list: str
    change: str
    delete: str


@dataclass(frozen=True, slots=True)
class Models:
    """What the operations answer, and how a list is asked for."""

    one: type[BaseModel]
    page: type[BaseModel]
    query: type[Page]


def operations(
    service: Service,
    path: str,
    parameter: str,
    word: str,
    models: Models,
    summaries: Summaries,
    *,
    create: Body,
    change: Body,
    may_conflict: tuple[Literal["change", "delete"], ...] = (),
    role: Role | None = None,
) -> tuple[Endpoint, ...]:
    """The declarations of the five operations. `path` is the list's, `parameter` what stands for the key behind it
    (with `:path` where a key may hold slashes), `may_conflict` what a record's state may forbid, and `role` who may
    do any of it, where that is not for viewers to see and for editors to change.
    """
    one, key, plural = f"{path}/{{{parameter}}}", parameter.removesuffix(":path"), path.rpartition("/")[2]

    def run_create(call: Call) -> BaseModel:
        return service.create(call.resources, call.body, actor=call.actor)

    def run_list(call: Call) -> BaseModel:
        return service.page(call.resources, call.query(models.query))

    def run_read(call: Call) -> BaseModel:
        return service.read(call.resources, call.path[key])

    def run_change(call: Call) -> BaseModel:
        return service.change(call.resources, call.path[key], call.body, actor=call.actor, if_match=call.if_match)

    def run_delete(call: Call) -> Deleted:
        service.remove(call.resources, call.path[key], actor=call.actor, if_match=call.if_match)
        return Deleted(deleted=call.path[key])

    refusals = {each: (404, 409, 412) if each in may_conflict else (404, 412) for each in ("change", "delete")}

    declared = (
        Endpoint(
            "POST",
            path,
            f"create_{word}",
            summaries.create,
            run_create,
            models.one,
            status=201,
            body=create,
            problems=(409,),
        ),
        Endpoint("GET", path, f"list_{plural}", summaries.list, run_list, models.page, query=models.query),
        Endpoint("GET", one, f"read_{word}", f"One {word}", run_read, models.one, problems=(404,)),
        Endpoint(
            "PATCH",
            one,
            f"change_{word}",
            summaries.change,
            run_change,
            models.one,
            body=change,
            problems=refusals["change"],
        ),
        Endpoint(
            "DELETE", one, f"delete_{word}", summaries.delete, run_delete, Deleted, problems=refusals["delete"]
        ),
    )
    return tuple(replace(each, role=role) for each in declared)
