"""What of a quote must be the same when it is ordered, and how to tell.

A quote that may be ordered is stored with `terms_of` its reply, in `quotes.terms`; its snapshot says which gifts
were promised (`snapshot.read(row.snapshot).gifts`). Whoever orders it prices the cart again and asks::

    same(row.terms, fresh)                  # the very same
    same_but_gifts(row.terms, fresh)        # or with other gifts
    still_there(kept.gifts, fresh)          # what is there of the promised ones
    all_there(kept.gifts, fresh)            # and whether that is everything

Part of the terms: every line with its product, quantity, campaign, state and the price of each unit; gifts;
add-ons; a coupon that is applied and what it takes off; the parts of a pre-sale; the totals. Not part of them:
language, reasons, choices, hints, what would be better, what was left off, the token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

_BYTES = 16
_PIECE_BYTES = 2000

Gifts = Sequence[tuple[str, str, int]]
"""Campaign, product, units of each."""


def terms_of(result: Mapping[str, Any]) -> str:
    """64 characters: a hash of all terms without the gifts, and one of the gifts."""
    return _hash(_without_gifts(result)) + _hash(gifts_of(result))


def gifts_of(result: Mapping[str, Any]) -> Gifts:
    """The gifts of a quote, in its order."""
    return [(each["campaign"], each["sku"], each["quantity"]) for each in result["gifts"]]


def same(terms: str | None, result: Mapping[str, Any]) -> bool:
    """Whether a cart that was priced again has the terms that were stored; quotes without any never have."""
    return terms == terms_of(result)


def same_but_gifts(terms: str | None, result: Mapping[str, Any]) -> bool:
    """The same, apart from gifts."""
    return terms is not None and terms[: 2 * _BYTES] == _hash(_without_gifts(result))


def still_there(promised: Gifts, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The gifts of a cart that was priced again, as far as they were promised: no others, and no more units."""
    units = {(campaign, sku): quantity for campaign, sku, quantity in promised}
    kept = [
        {**each, "quantity": min(each["quantity"], units.get((each["campaign"], each["sku"]), 0))}
        for each in result["gifts"]
    ]
    return [each for each in kept if each["quantity"] > 0]


def all_there(promised: Gifts, result: Mapping[str, Any]) -> bool:
    """Whether no promised gift is missing; others may be there besides."""
    found = sum(quantity for _, _, quantity in gifts_of({"gifts": still_there(promised, result)}))
    return found == sum(quantity for _, _, quantity in promised)


def _without_gifts(result: Mapping[str, Any]) -> Any:
    coupon = result["coupon"]
    return (
        result["currency"],
        [
            (each["sku"], each["quantity"], each["campaign"], each["state"], each["unit_payables"])
            for each in result["lines"]
        ],
        [(each["campaign"], each["sku"], each["quantity"], each["unit_price"]) for each in result["add_ons"]],
        (coupon["code"], coupon["discount"]) if coupon is not None and coupon["state"] == "applied" else None,
        result["presale"],
        result["subtotal"],
        result["discount"],
        result["coupon_discount"],
        result["total"],
    )


def _hash(terms: Any) -> str:
    # In pieces: for longer ones Python lets go of the interpreter's lock, and getting it back takes far longer.
    text = orjson.dumps(terms)
    whole = blake2b(digest_size=_BYTES)
    for start in range(0, len(text), _PIECE_BYTES):
        whole.update(text[start : start + _PIECE_BYTES])
    return whole.hexdigest()
