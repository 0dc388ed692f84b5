"""Why a quote cannot be ordered, and the fresh quote that tells the shopper what can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import insert

from admin.errors import Conflict
from admin.quotes.quoting import Asked, Priced, Quoter
from admin.quotes.tables import quotes
from admin.reservations.ledger import Claim
from admin.resources import Resources
from gateway.orders.database import writing

BUTTONS = {
    "presale": "POST /api/presales/{campaign}/{sku}/deposit",
    "group_buy": "POST /api/groups",
    "seckill": "POST /seckill/{campaign}-{sku} at the gateway",
}
"""By type: where its own button leads."""


class Refusal(Exception):
    """An order that cannot be written as things are; it becomes a conflict with the fresh quote."""

    def __init__(self, code: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.members: Mapping[str, Any] = members

    def conflict(self, quote: bytes) -> Conflict:
        """The error that the shopper gets, with the reply of the fresh quote."""
        return Conflict(self.detail, code=self.code, quote=orjson.Fragment(quote), **self.members)


def fresh_quotes(resources: Resources, asked: Sequence[Asked]) -> list[bytes]:
    """Price some carts as things are now; the replies, whose tokens may be ordered.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
    """
    quoter = Quoter(resources)
    moment = quoter.gather(asked)
    made = [quoter.price(each, moment, place) for place, each in enumerate(asked)]
    valid_ms = resources.settings.quote_valid_s * 1000
    with writing(resources.engine) as connection:
        connection.execute(
            insert(quotes),
            [
                {
                    "token": entry.token,
                    "shopper": entry.shopper,
                    "engine": entry.engine,
                    "change_number": entry.change_number,
                    "created_at_ms": entry.created_at_ms,
                    "valid_until_ms": entry.created_at_ms + valid_ms,
                    "snapshot": entry.snapshot,
                    "terms": entry.terms,
                }
                for entry in (each.entry for each in made)
            ],
        )
    return [each.reply for each in made]


def require_own_button(made: Priced) -> None:
    """Refuse what is bought with a button of its own.

    Raises:
        Refusal: naming the endpoint behind it.
    """
    for line in made.result["lines"]:
        campaign = made.world.index.get(line["campaign"]) if line["campaign"] is not None else None
        if campaign is not None and campaign.type is not None and campaign.type.own_button:
            endpoint = BUTTONS[campaign.type.name].format(campaign=campaign.code, sku=line["sku"])
            raise Refusal("own_button", f"{campaign.code} has a button of its own: {endpoint}", endpoint=endpoint)


def require_available(made: Priced) -> None:
    """Refuse a quote that cannot be ordered whole.

    Raises:
        Refusal: nothing is selected, or a line cannot be had.
    """
    states = [line["state"] for line in made.result["lines"]]
    if all(state == "unselected" for state in states):
        raise Refusal("nothing_selected", "nothing in the cart is selected")
    wrong = [line["sku"] for line in made.result["lines"] if line["state"] in {"unavailable", "short_stock"}]
    if wrong:
        raise Refusal(
            "not_available",
            f"cannot be had as asked: {', '.join(wrong[:5])}; change the cart and order at the new price",
        )


def ran_out(claim: Claim) -> Refusal:
    """Something ran out since the price was made."""
    return Refusal(
        "just_ran_out",
        f"{claim.subject} has just run out: look at the new price and order again",
        of=claim.kind,
        subject=claim.subject,
    )
