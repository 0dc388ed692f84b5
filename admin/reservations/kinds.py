"""The kinds of what can run out.

=================== ================== ======== ==============================================================
kind                subject            owner    counts
=================== ================== ======== ==============================================================
seat                group              -        one per order, at most the group's size
group_shopper       group              shopper  one: nobody sits twice in a group
campaign            campaign           -        orders, or units where the type counts them
campaign_shopper    campaign           shopper  the same of one shopper
budget              campaign           -        minor units given away
coupon              coupon             -        orders
coupon_shopper      coupon             shopper  the same of one shopper
coupon_code         one code of many   -        one
stock               product            -        units: goods, add-ons and gifts
=================== ================== ======== ==============================================================

Stock is counted in the product's own row: a committed unit has left the stock for good.
"""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal[
    "seat",
    "group_shopper",
    "campaign",
    "campaign_shopper",
    "budget",
    "coupon",
    "coupon_shopper",
    "coupon_code",
    "stock",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
ORDER: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}
"""Counters are locked in this order, and within a kind by subject and owner, so nobody waits in a circle."""
