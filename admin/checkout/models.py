"""What a checkout takes, and what it gives to those who wait for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from admin.inputs import PARAGRAPHS, UNSET, Input
from admin.orders.models import Address
from gateway.tokens import Shopper

NOTE_MAX = 500
"""Longest note, characters."""


class Checkout(Input):
    """A quote to be ordered at its price. With `accept_missing_gifts`, without gifts that are gone by now."""

    token: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[!-~]+$", description="of a quote")]
    address: Address = UNSET
    note: Annotated[str, Field(min_length=1, max_length=NOTE_MAX), PARAGRAPHS] = UNSET
    accept_missing_gifts: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """A checkout that waits: what was sent, by whom, in which language they read.

    `key` is the digest of the Idempotency-Key, or empty; `request` the digest of the body.
    """

    given: Checkout
    shopper: Shopper
    language: str
    key: str
    request: str

    @property
    def owner(self) -> str:
        """The id of the shopper."""
        return self.shopper.id.decode()


@dataclass(frozen=True, slots=True)
class Ordered:
    """The order of a checkout, in full and as JSON; `new` if this checkout made it."""

    order: bytes
    new: bool
