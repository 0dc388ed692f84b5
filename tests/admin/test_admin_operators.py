"""Given people who run the shop, each does what their role allows, as long as their session lasts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sidecar import ACTOR, Api, Shop
from sqlalchemy import select, update

from admin.audit import service as audit
from admin.audit.service import AuditFilter
from admin.errors import Conflict, Invalid, StaleRevision, Unauthenticated
from admin.operators import passwords, service, signing_in
from admin.operators.tables import operator_sessions, operators
from admin.pages import csrf
from admin.resources import Resources
from gateway.orders.database import now_ms, reading, writing

PASSWORD = "three unlikely words"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hashes that take no tenth of a second."""
    monkeypatch.setattr(passwords, "COST", 2**4)
    passwords.nobodys.cache_clear()
    yield
    passwords.nobodys.cache_clear()


def person(resources: Resources, name: str, role: str = "editor") -> str:
    service.create(resources, {"name": name, "role": role, "password": PASSWORD}, actor=ACTOR)
    return name


def deeds(resources: Resources, name: str) -> list[str]:
    """What the audit log tells of an operator, in order."""
    page = audit.page(resources, AuditFilter(kind="operator", subject=name))
    return [each.action for each in reversed(page.items)]


def test_who_has_the_password_is_signed_in_until_they_sign_out(shop: Shop) -> None:
    ann = person(shop.resources, shop.unique("ann"))
    token = signing_in.sign_in(shop.resources, ann, PASSWORD)
    assert signing_in.find(shop.resources, token) == signing_in.Operator(ann, "editor")
    with reading(shop.resources.engine) as connection:
        kept = connection.execute(select(operators.c.password)).scalars().all()
        sessions = connection.execute(select(operator_sessions.c.id)).scalars().all()
    assert not any(PASSWORD in each for each in kept)
    assert token not in sessions
    signing_in.sign_out(shop.resources, token)
    assert signing_in.find(shop.resources, token) is None
    assert deeds(shop.resources, ann) == ["create", "sign_in"]


def test_wrong_passwords_lock_a_name_and_right_ones_forgive(shop: Shop) -> None:
    ann = person(shop.resources, shop.unique("ann"))

    def fail() -> str:
        with pytest.raises(Unauthenticated) as refused:
            signing_in.sign_in(shop.resources, ann, "something else")
        return refused.value.code

    assert [fail() for _ in range(signing_in.FAILURES_MAX - 1)] == ["wrong_password"] * 4
    signing_in.sign_in(shop.resources, ann, PASSWORD)
    assert [fail() for _ in range(signing_in.FAILURES_MAX + 1)] == [*["wrong_password"] * 5, "locked"]
    # The right one does not help while it is locked; afterwards it does.
    with pytest.raises(Unauthenticated, match="try again in 5 min"):
        signing_in.sign_in(shop.resources, ann, PASSWORD)
    with writing(shop.resources.engine) as connection:
        connection.execute(update(operators).values(locked_until_ms=now_ms(connection)))
    signing_in.sign_in(shop.resources, ann, PASSWORD)
    assert deeds(shop.resources, ann) == ["create", "sign_in", "locked", "sign_in"]


@pytest.mark.parametrize("column", ["started_at_ms", "seen_at_ms"])
def test_a_session_ends_by_age_and_by_doing_nothing(shop: Shop, column: str) -> None:
    token = signing_in.sign_in(shop.resources, person(shop.resources, shop.unique("ann")), PASSWORD)
    settings = shop.resources.settings
    lasts_s = settings.operator_session_s if column == "started_at_ms" else settings.operator_idle_s
    for age_ms, is_there in ((lasts_s * 1000 - 5000, True), (lasts_s * 1000 + 1, False)):
        with writing(shop.resources.engine) as connection:
            values = {"seen_at_ms": now_ms(connection), column: now_ms(connection) - age_ms}
            connection.execute(update(operator_sessions).values(**values))
        assert (signing_in.find(shop.resources, token) is not None) is is_there


def test_using_a_session_keeps_it(shop: Shop) -> None:
    token = signing_in.sign_in(shop.resources, person(shop.resources, shop.unique("ann")), PASSWORD)
    with writing(shop.resources.engine) as connection:
        before = now_ms(connection) - signing_in.SEEN_EVERY_MS - 1
        connection.execute(update(operator_sessions).values(seen_at_ms=before))
    signing_in.find(shop.resources, token)
    with reading(shop.resources.engine) as connection:
        assert connection.execute(select(operator_sessions.c.seen_at_ms)).scalar_one() > before


def test_another_role_or_password_signs_out_everywhere(shop: Shop) -> None:
    ann = person(shop.resources, shop.unique("ann"))
    for change in ({"role": "viewer"}, {"password": PASSWORD}):
        token = signing_in.sign_in(shop.resources, ann, PASSWORD)
        service.change(shop.resources, ann, change, actor=ACTOR)
        assert signing_in.find(shop.resources, token) is None
    token = signing_in.sign_in(shop.resources, ann, PASSWORD)
    service.change_password(shop.resources, ann, {"now": PASSWORD, "new": f"{PASSWORD} more"})
    assert signing_in.find(shop.resources, token) is None
    with pytest.raises(Invalid) as wrong:
        service.change_password(shop.resources, ann, {"now": PASSWORD, "new": "long enough again"})
    assert wrong.value.errors[0].field == "now"
    token = signing_in.sign_in(shop.resources, ann, f"{PASSWORD} more")
    service.remove(shop.resources, ann, actor=ACTOR)
    assert signing_in.find(shop.resources, token) is None


def test_there_is_always_an_owner(shop: Shop) -> None:
    first = person(shop.resources, shop.unique("ann"), "owner")
    for lose in (
        lambda: service.change(shop.resources, first, {"role": "editor"}, actor=first),
        lambda: service.remove(shop.resources, first, actor=first),
    ):
        with pytest.raises(Conflict) as refused:
            lose()
        assert refused.value.code == "last_owner"
    second = person(shop.resources, shop.unique("ben"), "owner")
    with pytest.raises(StaleRevision):
        service.change(shop.resources, first, {"role": "editor"}, actor=second, if_match=7)
    service.change(shop.resources, first, {"role": "editor"}, actor=second)
    assert service.read(shop.resources, first).role == "editor"


def test_the_first_owner_is_made_once(shop: Shop) -> None:
    password = service.create_first(shop.resources, "owner", actor=ACTOR)
    assert password is not None
    assert signing_in.sign_in(shop.resources, "owner", password)
    assert service.create_first(shop.resources, "other", actor=ACTOR) is None


class Browser:
    """Somebody's browser: the cookie of their session, and the proof that pages hand out with it."""

    def __init__(self, api: Api, resources: Resources, name: str) -> None:
        self._api = api
        token = signing_in.sign_in(resources, name, PASSWORD)
        self._cookie = {"Cookie": f"{signing_in.COOKIE}={token}"}
        self.proof = csrf.proof(resources.settings.signing_secrets, token)

    def send(self, method: str, path: str, body: Any = None, *, proof: str | None = None) -> httpx.Response:
        headers = self._cookie | ({csrf.HEADER: proof} if proof is not None else {})
        return self._api.send(method, path, key=None, headers=headers, **({} if body is None else {"json": body}))


def kind(refusal: httpx.Response) -> str:
    """Which problem a reply tells of."""
    return str(refusal.json()["type"]).rpartition(":")[2]


def test_roles_limit_what_a_session_may_ask_of_the_api(api: Api, shop: Shop) -> None:
    people = {role: person(shop.resources, shop.unique(role), role) for role in ("viewer", "editor", "owner")}
    browsers = {role: Browser(api, shop.resources, name) for role, name in people.items()}
    campaign = shop.campaign().code
    asked = {
        "look": ("GET", "/campaigns", None),
        "change": ("PATCH", f"/campaigns/{campaign}", {"slogan": "Now"}),
        "pay back": ("POST", f"/campaigns/{campaign}/terminate", {"refund_all": True}),
        "operators": ("GET", "/operators", None),
    }
    allowed = {
        role: [what for what, given in asked.items() if each.send(*given, proof=each.proof).status_code == 200]
        for role, each in browsers.items()
    }
    assert allowed == {"viewer": ["look"], "editor": ["look", "change"], "owner": list(asked)}
    refusal = browsers["viewer"].send("POST", "/campaigns", {}, proof=browsers["viewer"].proof)
    assert (refusal.status_code, kind(refusal), refusal.json()["needs"]) == (403, "forbidden", "editor")


def test_a_session_changes_nothing_without_the_proof_of_its_own_pages(api: Api, shop: Shop) -> None:
    ann, ben = (person(shop.resources, shop.unique(name)) for name in ("ann", "ben"))
    browser, other = Browser(api, shop.resources, ann), Browser(api, shop.resources, ben)
    sku = shop.product()
    for proof in (None, "", "x" * 43, other.proof):
        refusal = browser.send("PATCH", f"/products/{sku}", {"price": 5}, proof=proof)
        assert (refusal.status_code, kind(refusal)) == (403, "csrf")
    assert browser.send("GET", f"/products/{sku}").json()["price"] == 12900
    assert browser.send("PATCH", f"/products/{sku}", {"price": 5}, proof=browser.proof).status_code == 200


def test_proofs_survive_a_change_of_the_secret() -> None:
    old, new = b"o" * 32, b"n" * 32
    csrf.check((new, old), "cookie", csrf.proof((old,), "cookie"))


def test_a_session_that_is_over_is_told_so(api: Api, shop: Shop) -> None:
    ann = person(shop.resources, shop.unique("ann"))
    browser = Browser(api, shop.resources, ann)
    service.change(shop.resources, ann, {"role": "viewer"}, actor=ACTOR)
    reply = browser.send("GET", "/campaigns")
    assert (reply.status_code, kind(reply)) == (401, "unauthenticated")
    assert "sign in again" in reply.json()["detail"]


def test_programs_keep_everything_with_their_key_and_are_no_operators(api: Api, shop: Shop) -> None:
    name = shop.unique("ann")
    api.post("/operators", {"name": name, "role": "viewer", "password": PASSWORD}, 201)
    assert api.get(f"/operators/{name}")["role"] == "viewer"
    assert "password" not in api.get(f"/operators/{name}")
    reply = api.send("POST", "/me/password", json={"now": PASSWORD, "new": "another long one"})
    assert reply.status_code == 404
