"""Every way to an order, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from admin.flows import cart, group_buy, presale, seckill
from admin.flows.interface import Flow

FLOWS: Mapping[str, Flow] = {each.name: each for each in (seckill.FLOW, cart.FLOW, presale.FLOW, group_buy.FLOW)}


def flow_of(order: Row[Any]) -> Flow:
    """The flow of an order."""
    return FLOWS[order.flow]
