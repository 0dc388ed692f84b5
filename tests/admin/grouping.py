"""Helpers of the tests about group buys: a campaign, shoppers who sit in groups, and what groups hold."""

from __future__ import annotations

from typing import Any

from buying import begin
from buying import row as order_row
from sidecar import Api, Shop
from sqlalchemy import select, update

from admin.campaigns import service as campaigns
from admin.checkout.keys import Key
from admin.groups import joining, opening
from admin.groups.models import NewGroup, Seat
from admin.groups.tables import groups
from admin.notices.tables import notices
from admin.payments import paying
from admin.reservations.tables import reservations, tallies
from gateway.orders.database import now_ms, reading, writing
from gateway.orders.tables import order_events, orders
from gateway.tokens import Shopper, TokenVerifier, mint

SECRET = b"t" * 32
BASE, PRICE = 12900, 9900
NO_KEY = Key("", "")


def group_buy(shop: Shop, *, stock: int = 500, **about: Any) -> Any:
    """A group buy of one product that runs now; its groups have three seats unless told otherwise."""
    rule = {"price": PRICE, "size": 3, "hours": 24, **about.pop("rule", {})}
    body = {"type": "group_buy", "rule": rule, "items": [{"sku": shop.product(price=BASE, stock=stock)}], **about}
    return shop.campaign(**body)


def token(name: str, level: int = 0) -> str:
    """What a shopper signs in with."""
    return mint(SECRET, name, ttl_s=3600, level=level)


def a_group_row(group: str, now: int) -> dict[str, Any]:
    """The row of an open group that nobody is in."""
    return {
        "id": group,
        "campaign": "sale",
        "sku": "kettle",
        "name": "Kettle",
        "base_price": BASE,
        "price": PRICE,
        "size": 3,
        "limit_per_shopper": 1,
        "virtual_fill": False,
        "state": "open",
        "leader": "ann",
        "virtual_seats": 0,
        "opened_at_ms": now,
        "deadline_ms": now + 3_600_000,
        "settled": False,
    }


def signed_in(shop: Shop, name: str) -> Shopper:
    """A shopper as the services see them."""
    verifier: TokenVerifier = shop.resources.tokens
    return verifier.verify(f"Bearer {token(name)}".encode(), shop.now_ms() / 1000)


class Guest:
    """Somebody who asks over HTTP; with a name, signed in."""

    def __init__(self, api: Api, name: str | None = None, level: int = 0) -> None:
        self._api = api
        self.name = name
        self._key = None if name is None else token(name, level)

    def get(self, path: str, status: int = 200) -> Any:
        return self._api.get(path, status, key=self._key)

    def post(self, path: str, body: Any = None, status: int = 200, **about: Any) -> Any:
        return self._api.post(path, body, status, key=self._key, **about)

    def send(self, path: str, body: Any, **about: Any) -> Any:
        """The bare reply to a POST."""
        return self._api.send("POST", path, key=self._key, json=body, **about)

    def open(self, campaign: Any, status: int = 201, **about: Any) -> Any:
        body = {"campaign": campaign.code, "sku": campaign.items[0].sku, **about}
        return self.post("/api/groups", body, status)

    def join(self, group: str, status: int = 201, **about: Any) -> Any:
        return self.post(f"/api/groups/{group}/join", about, status)

    def leave(self, group: str, status: int = 200) -> Any:
        return self.post(f"/api/groups/{group}/leave", None, status)

    def pay(self, order_no: str, status: int = 200, **about: Any) -> Any:
        return self.post(f"/api/orders/{order_no}/pay", about, status)

    def sit(self, group: str) -> str:
        """Join and pay; the order's number."""
        order_no: str = self.join(group)["order_no"]
        self.pay(order_no)
        return order_no


def row(shop: Shop, group: str) -> Any:
    with reading(shop.resources.engine) as connection:
        return connection.execute(select(groups).where(groups.c.id == group)).one()


def seats(shop: Shop, group: str) -> tuple[int, int]:
    """Seats held that are not paid for, and seats that are."""
    with reading(shop.resources.engine) as connection:
        found = connection.execute(
            select(tallies).where(tallies.c.kind == "seat", tallies.c.subject == group)
        ).one_or_none()
        return (0, 0) if found is None else (found.reserved, found.committed)


def held(shop: Shop, order_no: str) -> dict[str, str]:
    """Kind → state of what an order holds or has held."""
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(select(reservations).where(reservations.c.order_no == order_no))
        return {each.kind: each.state for each in rows}


def statuses(shop: Shop, group: str) -> list[str]:
    """Of the orders of a group, sorted."""
    with reading(shop.resources.engine) as connection:
        found = connection.execute(select(orders.c.status).where(orders.c.group_id == group)).scalars()
        return sorted(found)


def actors(shop: Shop, order_no: str) -> list[str]:
    """Who moved an order, in order."""
    with reading(shop.resources.engine) as connection:
        return list(
            connection.execute(
                select(order_events.c.actor).where(order_events.c.order_no == order_no).order_by(order_events.c.id)
            ).scalars()
        )


def run_down(shop: Shop, group: str) -> None:
    """Let a group's deadline have come."""
    with writing(shop.resources.engine) as connection:
        connection.execute(update(groups).where(groups.c.id == group).values(deadline_ms=now_ms(connection) - 1000))


def terminate(shop: Shop, code: str) -> None:
    """End a group buy for good."""
    campaigns.terminate(shop.resources, code, {}, actor="tester")


def open_group(shop: Shop, campaign: Any, name: str, **about: Any) -> tuple[str, str]:
    """Open a group without HTTP: its id, and the number of its first order."""
    given = NewGroup.model_validate({"campaign": campaign.code, "sku": campaign.items[0].sku, **about})
    order_no = opening.open_group(shop.resources, given, signed_in(shop, name), NO_KEY, "en")
    return order_row(shop, order_no).group_id, order_no


def join(shop: Shop, group: str, name: str, **about: Any) -> str:
    """Join a group without HTTP: the order's number."""
    return joining.join(shop.resources, group, Seat.model_validate(about), signed_in(shop, name), NO_KEY, "en")


def pay(shop: Shop, *numbers: str) -> None:
    """Let money come for orders without HTTP."""
    for order_no in numbers:
        paying.ask(shop.resources, begin(shop, order_no))


def notices_of(shop: Shop, name: str) -> list[str]:
    """The kinds of what a shopper was told, oldest first."""
    with reading(shop.resources.engine) as connection:
        found = select(notices.c.kind).where(notices.c.shopper == name).order_by(notices.c.id)
        return list(connection.execute(found).scalars())
