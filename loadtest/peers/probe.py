"""Before anything is measured: does a server do the work of a click at all? The same questions to every one."""

from __future__ import annotations

import base64
import time

import httpx

from loadtest.tokens import Mint

TRIES = 20
TRY_AGAIN_S = 0.1


def faults(url: str, mint: Mint, offer: str, *, expired: Mint, foreign: Mint) -> list[str]:
    """One sentence per wrong answer. `offer` is on sale with a single unit; other mints make bad tokens."""

    def ask(token: bytes | None, at: str = offer) -> tuple[int, dict[str, object]]:
        headers = {} if token is None else {"Authorization": f"Bearer {token.decode()}"}
        for _ in range(TRIES):
            reply = httpx.post(f"{url}/seckill/{at}", headers=headers, timeout=10.0, trust_env=False)
            # "Not now" is no wrong answer; a machine with much else to do may give it.
            if reply.status_code != 503:
                break
            time.sleep(TRY_AGAIN_S)
        return reply.status_code, reply.json()

    found = []

    def expect(what: str, reply: tuple[int, dict[str, object]], status: int, outcome: str) -> None:
        if reply[0] != status or reply[1].get("outcome") != outcome:
            found.append(f"{what}: {status} {outcome} was wanted, {reply[0]} {reply[1]} came")

    _, claims, signature = mint.token("ann").split(b".")
    nothing = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=")
    for what, token in {
        "no token": None,
        "a token of another secret": foreign.token("ann"),
        "an expired token": expired.token("ann"),
        "a token without algorithm": b".".join((nothing, claims, signature)),
    }.items():
        expect(what, ask(token), 401, "unauthenticated")
    expect("an unknown offer", ask(mint.token("ann"), "nothing-here"), 404, "not_found")
    won = ask(mint.token("ann"))
    expect("the first click", won, 201, "won")
    again = ask(mint.token("ann"))
    expect("the winner's second click", again, 200, "already_won")
    if again[1].get("order_no") != won[1].get("order_no"):
        found.append(f"the winner was given {won[1].get('order_no')} and then {again[1].get('order_no')}")
    for what in ("a click on nothing left", "the next one, which may be answered without asking"):
        expect(what, ask(mint.token("ben")), 409, "sold_out")
    return found
