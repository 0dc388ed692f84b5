"""Asking sentinels which Redis is the primary, and how many replicas could take its place.

All are asked at once and the newest configuration counts: a sentinel that was cut off from the others goes on
naming the primary it knew.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import hiredis

from gateway.asking import exchange, first_answers
from gateway.errors import NotSent
from gateway.redis_url import SentinelPlace, sign_in

_GONE = {"s_down", "o_down", "disconnected"}


@dataclass(frozen=True, slots=True)
class Survey:
    """What the sentinels say. `promotable`: replicas that could become primary now."""

    primary: tuple[str, int]
    promotable: int
    config_epoch: int


async def survey(place: SentinelPlace) -> Survey:
    """Ask every sentinel.

    Raises:
        NotSent: none of them answers, or none knows the service.
    """
    asking = [asyncio.ensure_future(_ask_one(place, *address)) for address in place.sentinels]
    await first_answers(asking)
    done = [each for each in asking if each.done()]
    errors = [str(error) for each in done if (error := each.exception()) is not None]
    told = [each.result() for each in done if each.exception() is None]
    if not told:
        raise NotSent(f"no sentinel answers{': ' if errors else ''}{'; '.join(errors)}")
    known = [each for each in told if each is not None]
    if not known:
        raise NotSent(f"no sentinel knows a service named {place.service}")
    newest = max(each.config_epoch for each in known)
    views = [each for each in known if each.config_epoch == newest]
    return Survey(views[0].primary, max(view.promotable for view in views), newest)


async def _ask_one(place: SentinelPlace, host: str, port: int) -> Survey | None:
    """One sentinel's view, or None when it does not know the service."""
    commands = sign_in(place.sentinel_username, place.sentinel_password)
    commands += [("SENTINEL", what, place.service) for what in ("GET-MASTER-ADDR-BY-NAME", "MASTER", "REPLICAS")]
    *_, address, primary, replicas = await exchange((host, port), commands)
    if isinstance(address, hiredis.ReplyError):
        raise NotSent(f"{host}:{port} refuses: {address}")
    if address is None:
        return None
    views = [_fields(each) for each in replicas]
    return Survey(
        primary=(address[0].decode(), int(address[1])),
        promotable=sum(
            int(view["slave-priority"]) > 0 and not _GONE & set(view["flags"].split(",")) for view in views
        ),
        config_epoch=int(_fields(primary)["config-epoch"]),
    )


def _fields(flat: list[bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
