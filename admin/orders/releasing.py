"""Units that a change has given up go back on sale at once, where that is possible."""

from __future__ import annotations

import logging

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from admin.resources import Resources
from gateway.errors import RedisProblem
from gateway.orders import releases

_log = logging.getLogger(__name__)


def back_on_sale(resources: Resources, order_no: str) -> None:
    """Tell Redis of units that a committed change gave up; if it cannot be told, the order writer does it later."""
    try:
        releases.apply_waiting(resources.engine, resources.redis, lease_ms=resources.lease_ms, order_no=order_no)
    except (RedisError, RedisProblem, SQLAlchemyError) as error:
        _log.warning("units of %s wait to be sold again: %s", order_no, error)
