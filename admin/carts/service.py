"""What shoppers do with their cart. Every function answers with the cart as it is then, and its revision."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from admin.carts import contents, storing
from admin.carts.contents import Body
from admin.carts.models import BundleInput, LineChange, LineInput, MergeInput
from admin.errors import Conflict, Invalid, NotFound
from admin.inputs import check
from admin.promotions.cart import Cart
from admin.quotes.asking import read_cart, repeats
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing

MERGES_KEPT = 20
"""Merges that are remembered, so that asking again changes nothing."""

Kept = tuple[Body, int]


def read(resources: Resources, shopper: str) -> Kept:
    """The cart; an empty one when there is none."""
    with reading(resources.engine) as connection:
        row = storing.find(connection, shopper)
    return (contents.EMPTY, 0) if row is None else (row.body, row.revision)


def replace(resources: Resources, shopper: str, body: object, if_match: int | None) -> Kept:
    """Put a whole cart in the place of what is there.

    Raises:
        Invalid: with every problem. StaleRevision: it was changed in between. Conflict: it is too large.
    """
    given = _json(read_cart(Cart, body))
    return _edit(resources, shopper, if_match, lambda _: given)


def add_line(resources: Resources, shopper: str, body: object, if_match: int | None) -> Kept:
    """Put some units of a product in. Raises as `replace` does."""
    line = _json(check(LineInput, body))
    return _edit(resources, shopper, if_match, lambda cart: contents.add(cart, line))


def change_line(resources: Resources, shopper: str, sku: str, body: object, if_match: int | None) -> Kept:
    """Change a line.

    Raises:
        NotFound: there is no such line.
        Invalid, StaleRevision, Conflict: as `replace`.
    """
    given = check(LineChange, body)
    if given.unpin and "campaign" in given.model_fields_set:
        raise Invalid.one("unpin", "not_with_campaign", "choose a campaign, or go back to the default one")
    values = given.model_dump(include=given.model_fields_set - {"unpin"})
    return _edit(resources, shopper, if_match, lambda cart: contents.change(cart, sku, values, unpin=given.unpin))


def drop_line(resources: Resources, shopper: str, sku: str, if_match: int | None) -> Kept:
    """Take a line out.

    Raises:
        NotFound: there is no such line. StaleRevision: it was changed in between.
    """
    return _edit(resources, shopper, if_match, lambda cart: contents.drop(cart, sku))


def add_bundle(resources: Resources, shopper: str, code: str, body: object, if_match: int | None) -> Kept:
    """Put whole sets of a bundle in, with the bundle chosen for each of its products.

    Raises:
        NotFound, Conflict, Invalid: as `bundle_lines`.
        Conflict: the cart is full. StaleRevision: it was changed in between.
    """
    lines = bundle_lines(resources, code, body)
    return _edit(resources, shopper, if_match, lambda cart: reduce(contents.add, lines, cart))


def bundle_lines(resources: Resources, code: str, body: object) -> list[dict[str, Any]]:
    """The lines of whole sets of a bundle.

    Raises:
        NotFound: there is no such campaign.
        Conflict: it is no bundle, or is not running.
        Invalid: with every problem.
    """
    sets = check(BundleInput, body).sets
    campaign = resources.books.fresh().index.get(code)
    if campaign is None or campaign.draft:
        raise NotFound(f"there is no campaign {code}")
    if campaign.type_name != "bundle" or campaign.broken:
        raise Conflict(f"{code} is no bundle: add its products one by one", code="not_a_bundle")
    with reading(resources.engine) as connection:
        now = now_ms(connection)
    if not campaign.running(now):
        raise Conflict("the campaign is not running", code="not_running")
    return [
        {"sku": each.sku, "quantity": each.quantity * sets, "campaign": code, "selected": True}
        for each in campaign.rule.components
    ]


def merge(resources: Resources, shopper: str, body: object) -> Kept:
    """Add what the shopper put into a cart before signing in, once per merge id.

    Raises:
        Invalid: with every problem. Conflict: there are too many choices.
    """
    given = check(MergeInput, body)
    repeated = repeats(body["cart"] if isinstance(body, dict) else None, "cart.")
    if repeated:
        raise Invalid(repeated)
    with writing(resources.engine) as connection:
        row = storing.lock(connection, shopper, None)
        if given.merge_id in row.merged:
            return row.body, row.revision
        merged = [*row.merged, given.merge_id][-MERGES_KEPT:]
        return storing.keep(connection, row, contents.merge(row.body, _json(given.cart)), merged)


def _edit(resources: Resources, shopper: str, if_match: int | None, change: Callable[[Body], Body]) -> Kept:
    with writing(resources.engine) as connection:
        row = storing.lock(connection, shopper, if_match)
        return storing.keep(connection, row, change(row.body))


def _json(given: Cart | LineInput) -> dict[str, Any]:
    """As it is stored: only what was sent, for an absent campaign is another choice than null."""
    return given.model_dump(mode="json", exclude_unset=True)
