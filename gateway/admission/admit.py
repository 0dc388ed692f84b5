"""The call of `admit.lua`: a batch of clicks in, a decision for each out. No I/O here, only the encoding."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import msgpack

from gateway import keys, scripts
from gateway.admission.outcome import ELSEWHERE, LETTERS, WITH_DETAIL, Outcome
from gateway.errors import ScriptContractError
from gateway.resp import pack
from gateway.settings import Rate

ORDER_NO_BYTES = 10
"""Random bytes of an order number: 80 bits cannot be guessed or counted, nor do they collide."""

_HAS_DETAIL = {ord(letter): letter in WITH_DETAIL for letter in (*LETTERS, ELSEWHERE)}
_ALL_WITH_DETAIL = "".join(WITH_DETAIL).encode()
_packer = msgpack.Packer(use_bin_type=False)


class Decision(NamedTuple):
    """What answers one click. `detail` depends on the outcome: a ticket, units left, units held, ms to wait."""

    outcome: Outcome
    detail: Any = None


class Decided(NamedTuple):
    """A decided batch: a letter and a detail (None where the letter has none) per click.

    `lease_ms`: how long a refusal may be repeated, counted from before the call.
    """

    now_ms: int
    sequence: int
    left: int
    lease_ms: int
    letters: bytes
    details: list[Any]


class Whole(NamedTuple):
    """A batch refused as a whole, with the script's word."""

    word: str
    now_ms: int


SPARED: tuple[tuple[str, ...], ...] = ((), ("even", "odd"), ("even", "odd", "freed"))
"""Keys that may not exist, done without step by step while a slot moves: a server of a cluster runs no script then
of whose keys it lacks one. Clicks are not counted in a window, and freed units wait.
"""


class AdmitCall:
    """The part of the command that is the same for every batch of one offer bucket at one version."""

    __slots__ = ("_head", "_tail")

    def __init__(
        self,
        offer: str,
        *,
        bucket: int,
        version: int,
        epoch: int,
        run_id: str,
        rate: Rate,
        lease_ms: int,
        spared: int = 0,
    ) -> None:
        """`spared` counts in `SPARED`; the other arguments are those of the script."""
        script = scripts.load("admit")
        shard = keys.shard_of(offer, bucket)
        named = {
            "offer": keys.offer(offer, bucket),
            "buyers": keys.buyers(offer, epoch, bucket),
            "freed": keys.freed(offer, epoch, bucket),
            "even": keys.rate(offer, 0, bucket),
            "odd": keys.rate(offer, 1, bucket),
            "stream": keys.stream(shard),
            "counters": keys.counters(shard),
        }
        named |= dict.fromkeys(SPARED[spared], named["offer"])
        parts = 3 + len(script.keys) + len(script.args)
        head = pack("EVALSHA", script.sha, len(named), *(named[key] for key in script.keys), run_id, version, epoch)
        self._head = b"*%d%b" % (parts, head[head.index(b"\r\n") :])
        tail = pack(0 if spared else rate.count, rate.window_ms, lease_ms)
        self._tail = tail[tail.index(b"\r\n") + 2 :]

    def encode(
        self,
        deadline_ms: int,
        shoppers: tuple[bytes, ...],
        quantities: tuple[int, ...] | int = 0,
        keys_of_clicks: tuple[bytes, ...] | int = 0,
        eligible: bytes | int = 0,
    ) -> bytes:
        """The whole command for one batch; 0 stands for "all one", "no keys", "all eligible"."""
        digits = os.urandom(ORDER_NO_BYTES * len(shoppers)).hex()
        step = 2 * ORDER_NO_BYTES
        order_numbers = [digits[start : start + step] for start in range(0, len(digits), step)]
        clicks = _packer.pack((shoppers, order_numbers, quantities, keys_of_clicks, eligible))
        deadline = b"%d" % deadline_ms
        return b"%b$%d\r\n%b\r\n%b$%d\r\n%b\r\n" % (
            self._head,
            len(deadline),
            deadline,
            self._tail,
            len(clicks),
            clicks,
        )


def decode(reply: Any, clicks: int) -> Decided | Whole:
    """Read the script's reply to so many clicks.

    Raises:
        ScriptContractError: it does not have the form that the script's header promises.
    """
    try:
        word = reply[0]
        if word != b"DECIDED":
            return Whole(word.decode(), reply[1])
        _, now_ms, sequence, left, lease_ms, letters, *details = reply
        if letters.translate(None, _ALL_WITH_DETAIL):
            following = iter(details)
            details = [next(following) if _HAS_DETAIL[letter] else None for letter in letters]
        if not len(letters) == len(details) == clicks:
            raise ValueError
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise ScriptContractError(f"admit answered {reply!r:.200} to {clicks} clicks") from error
    return Decided(now_ms, sequence, left, lease_ms, letters, details)
