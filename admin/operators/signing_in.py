"""Signing in and out: a session is a random token in a cookie, of which the database knows the hash.

A session ends by signing out, by age, and when nothing is done in it. Wrong passwords are counted per name; after
some of them no password is looked at for a while, so nobody can try many.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from admin.audit import service as audit
from admin.errors import Unauthenticated
from admin.operators import passwords
from admin.operators.roles import Role
from admin.operators.tables import operator_sessions, operators
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing

COOKIE = "seckill_operator"
TOKEN_BYTES = 32
TOKEN_MAX = 64
"""Longest token that is looked up, characters."""
FAILURES_MAX = 5
LOCKED_MS = 5 * 60_000
SEEN_EVERY_MS = 60_000
"""A session's last use is written down this often, so that reading a page is not always a write."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who is signed in."""

    name: str
    role: Role


def sign_in(resources: Resources, name: str, password: str) -> str:
    """Check a password and begin a session; returns its token.

    Raises:
        Unauthenticated: name and password do not fit, or there were too many wrong ones (`locked`).
    """
    with reading(resources.engine) as connection:
        row = connection.execute(select(operators).where(operators.c.name == name)).one_or_none()
        now = now_ms(connection)
    if row is not None and row.locked_until_ms > now:
        minutes = -(-(row.locked_until_ms - now) // 60_000)
        raise Unauthenticated(f"too many wrong passwords: try again in {minutes} min", code="locked")
    # The costly part is outside of any transaction, and costs the same for names that nobody has.
    fits = passwords.matches(
        password[: passwords.PASSWORD_MAX], passwords.nobodys() if row is None else row.password
    )
    if row is None or not fits:
        _count_failure(resources, name)
        raise Unauthenticated("name and password do not fit", code="wrong_password")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with writing(resources.engine) as connection:
        now = now_ms(connection)
        right = connection.execute(
            update(operators)
            .where(operators.c.name == name, operators.c.password == row.password)
            .values(failures=0, locked_until_ms=0)
        )
        if not right.rowcount:
            raise Unauthenticated("name and password do not fit", code="wrong_password")
        connection.execute(
            operator_sessions.insert().values(id=_hash(token), operator=name, started_at_ms=now, seen_at_ms=now)
        )
        oldest = now - resources.settings.operator_session_s * 1000
        connection.execute(delete(operator_sessions).where(operator_sessions.c.started_at_ms < oldest))
        audit.record(connection, name, "sign_in", "operator", name)
    return token


def find(resources: Resources, token: str) -> Operator | None:
    """Who is signed in with a token; None when nobody is any more."""
    if not 0 < len(token) <= TOKEN_MAX:
        return None
    key = _hash(token)
    statement = (
        select(
            operators.c.name, operators.c.role, operator_sessions.c.started_at_ms, operator_sessions.c.seen_at_ms
        )
        .join(operators, operators.c.name == operator_sessions.c.operator)
        .where(operator_sessions.c.id == key)
    )
    with reading(resources.engine) as connection:
        row = connection.execute(statement).one_or_none()
        now = now_ms(connection)
    settings = resources.settings
    if (
        row is None
        or now - row.started_at_ms > settings.operator_session_s * 1000
        or now - row.seen_at_ms > settings.operator_idle_s * 1000
    ):
        return None
    if now - row.seen_at_ms > SEEN_EVERY_MS:
        with writing(resources.engine) as connection:
            connection.execute(
                update(operator_sessions).where(operator_sessions.c.id == key).values(seen_at_ms=now)
            )
    return Operator(row.name, row.role)


def sign_out(resources: Resources, token: str) -> None:
    """End a session; one that has ended already stays so."""
    with writing(resources.engine) as connection:
        connection.execute(delete(operator_sessions).where(operator_sessions.c.id == _hash(token)))


def _count_failure(resources: Resources, name: str) -> None:
    with writing(resources.engine) as connection:
        row = connection.execute(
            select(operators.c.failures).where(operators.c.name == name).with_for_update()
        ).one_or_none()
        if row is None:
            return
        failures = row.failures + 1
        locked = now_ms(connection) + LOCKED_MS if failures >= FAILURES_MAX else 0
        values = {"failures": 0 if locked else failures, "locked_until_ms": locked}
        connection.execute(update(operators).where(operators.c.name == name).values(**values))
        if locked:
            audit.record(connection, name, "locked", "operator", name)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
