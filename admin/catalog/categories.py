"""Categories: make, read, change, delete. The tree has no cycles and no unknown parents, whoever changes it."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, exists, or_, select

from admin.catalog.category_models import (
    Category,
    CategoryChange,
    CategoryFilter,
    CategoryInput,
    CategoryPage,
    CategoryTexts,
)
from admin.catalog.holding import campaign_with_category
from admin.catalog.tables import categories, products
from admin.catalog.tree import DEPTH_MAX, wrong_parents
from admin.changes import note
from admin.errors import Conflict, FieldError, Invalid
from admin.inputs import check
from admin.records import Records, containing
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing

_CATEGORIES = Records("category", categories, key="id", order=("id",))


def create(resources: Resources, body: object, *, actor: str) -> Category:
    """Make a category.

    Raises:
        Invalid: with every problem of the input, or the parent is not possible.
        Conflict: the id is taken.
    """
    given = check(CategoryInput, body)
    with writing(resources.engine) as connection:
        _require_place(connection, given.id, given.parent)
        category = _CATEGORIES.create(connection, given.model_dump(), partial(_view, resources), actor=actor)
        note(connection, "category", given.id, _noted(category))
    return category


def read(resources: Resources, category: str) -> Category:
    """One category.

    Raises:
        NotFound: there is none with this id.
    """
    with reading(resources.engine) as connection:
        return _view(resources, _CATEGORIES.find(connection, category))


def page(resources: Resources, wanted: CategoryFilter) -> CategoryPage:
    """A page of categories.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    conditions = []
    if wanted.parent is not None:
        conditions.append(categories.c.parent == wanted.parent)
    if wanted.q is not None:
        conditions.append(containing(wanted.q, categories.c.id, categories.c.name))
    with reading(resources.engine) as connection:
        rows, following, total = _CATEGORIES.page(connection, wanted, *conditions)
    return CategoryPage(items=[_view(resources, row) for row in rows], next=following, total=total)


def change(
    resources: Resources, category: str, body: object, *, actor: str, if_match: int | None = None
) -> Category:
    """Change some fields of a category; with another parent all below it moves along.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Invalid: with every problem of the input, or the parent is not possible.
    """
    given = check(CategoryChange, body)
    values = given.model_dump(include=given.model_fields_set)
    with writing(resources.engine) as connection:
        if "parent" in values:
            # Locks all before it locks one, so that two moves cannot wait for each other.
            _require_place(connection, category, values["parent"])
        row = _CATEGORIES.lock(connection, category, if_match)
        changed = _CATEGORIES.change(connection, row, values, partial(_view, resources), actor=actor)
        note(connection, "category", category, _noted(changed))
    return changed


def remove(resources: Resources, category: str, *, actor: str, if_match: int | None = None) -> None:
    """Delete a category that nothing is in.

    Raises:
        NotFound, StaleRevision: there is none, or it was changed in between.
        Conflict: it has children or products, or a campaign is about it.
    """
    with writing(resources.engine) as connection:
        row = _CATEGORIES.lock(connection, category, if_match)
        children = exists().where(categories.c.parent == category)
        filled = exists().where(products.c.category == category)
        if connection.execute(select(or_(children, filled))).scalar_one():
            raise Conflict(f"{category} still has categories or products in it", code="category_in_use")
        campaign = campaign_with_category(connection, category, now_ms(connection))
        if campaign is not None:
            raise Conflict(
                f"the campaign {campaign} is about {category}; end it first",
                code="category_in_use",
                campaign=campaign,
            )
        _CATEGORIES.remove(connection, row, partial(_view, resources), actor=actor)
        note(connection, "category", category, None)


def parents(connection: Connection, *, lock: bool) -> dict[str, str | None]:
    """The whole tree as each category's parent. Locked, nobody moves anything until the transaction ends."""
    statement = select(categories.c.id, categories.c.parent).order_by(categories.c.id)
    rows = connection.execute(statement.with_for_update() if lock else statement)
    return {row.id: row.parent for row in rows}


def _require_place(connection: Connection, category: str, parent: str | None) -> None:
    if parent is None:
        return
    tree = parents(connection, lock=True)
    wrong = wrong_parents({**tree, category: parent})
    if wrong:
        # Not it but something below it: that would hang too deep.
        below = FieldError("parent", "too_deep", f"what is below it would be deeper than {DEPTH_MAX} levels")
        raise Invalid([wrong.get(category, below)])


def _noted(category: Category) -> dict[str, Any]:
    return {"name": category.name, "parent": category.parent}


def _view(resources: Resources, row: Row[Any]) -> Category:
    return Category(
        id=row.id,
        name=row.name,
        parent=row.parent,
        position=row.position,
        texts={language: CategoryTexts(**texts) for language, texts in row.texts.items()},
        revision=row.revision,
        created_at=resources.iso(row.created_at_ms),
        updated_at=resources.iso(row.updated_at_ms),
    )
