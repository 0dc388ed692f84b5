"""Given a campaign of any type in any state, exactly the changes that its state allows are made.

Every type of the registry is tried, as its own example body has it. Nothing here differs between databases, so
all share one on SQLite.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sidecar import ACTOR, Shop

from admin.campaigns import editing, service
from admin.errors import AdminError, Conflict, Invalid
from admin.promotions import registry
from admin.promotions.model import PromotionType

HOUR_MS = 3_600_000
TYPES = sorted(registry.available())
STATES = ("draft", "not_started", "running", "paused", "ended")
LIVE = ("not_started", "running", "paused")
SOLD = ("running", "paused")

FREE: dict[str, Any] = {
    "name": "Another name",
    "slogan": "Another slogan",
    "label": "Another label",
    "texts": {"zh-Hant": {"name": "另一個名字"}},
    "exclude": ["spare"],
}
"""What may change while a campaign runs."""
LOCKED: dict[str, Any] = {
    "starts_at": 2_000_000_000_000,
    "priority": 7,
    "channels": ["app", "store"],
    "stores": ["s1"],
    "audience": {"kind": "members", "levels": [2]},
    "scope": "category",
    "categories": ["kitchen"],
    "coupons_allowed": "the other",
    "limits": {"total": 5},
}
"""What may change only before the start."""


@pytest.fixture(params=TYPES)
def promotion(request: pytest.FixtureRequest, shared_shop: Shop) -> PromotionType:
    """A type, whose products and some spare ones are there."""
    found = registry.available()[request.param]
    fields: Any = found.campaign.model_validate({**found.body, "draft": True})
    for sku in {*(item.sku for item in fields.items), *found.named(fields.rule), "spare", "other", "third"}:
        # Another type may have it too.
        with suppress(Conflict):
            shared_shop.product(sku=sku, price=99_000, stock=1_000_000, category="kitchen")
    return found


class Bench:
    """Makes campaigns of one type, and tries things on them."""

    def __init__(self, shop: Shop, promotion: PromotionType) -> None:
        self.shop, self.promotion = shop, promotion
        self.body: dict[str, Any] = copy.deepcopy(dict(promotion.body))
        self.lists = bool(self.body.get("items"))

    def make(self, state: str, **about: Any) -> str:
        """A campaign in a state; its code."""
        now = self.shop.now_ms()
        window = {"starts_at": now - HOUR_MS, "ends_at": now + HOUR_MS}
        if state == "not_started":
            window = {"starts_at": now + HOUR_MS, "ends_at": now + 2 * HOUR_MS}
        code = self.shop.unique("matrix")
        body = {**self.body, **window, "code": code, "draft": state == "draft", **about}
        service.create(self.shop.resources, body, actor=ACTOR)
        if state == "paused":
            service.pause(self.shop.resources, code, actor=ACTOR)
        if state == "ended":
            service.terminate(self.shop.resources, code, {}, actor=ACTOR)
        assert self.read(code).state == state
        return code

    def read(self, code: str) -> Any:
        return service.read(self.shop.resources, code)

    def change(self, code: str, patch: dict[str, Any]) -> Any:
        """What becomes of a change: the campaign, or the error."""
        return self.attempt(editing.change, code, patch)

    def attempt(self, action: Callable[..., Any], code: str, *about: Any) -> Any:
        before = self.read(code)
        try:
            return action(self.shop.resources, code, *about, actor=ACTOR)
        except AdminError as error:
            assert self.read(code) == before, "a refused change has left something behind"
            return error

    def patches(self, names: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        usual = self.promotion.coupons_allowed
        for name, value in names.items():
            yield name, {name: not usual if name == "coupons_allowed" else value}

    def rule_patches(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Another value for every part of the rule."""
        for name, value in self.read(self.make("draft")).rule.items():
            other = [] if isinstance(value, list) else value
            if isinstance(value, bool):
                other = not value
            elif isinstance(value, int | float):
                other = value + 1
            if other != value:
                yield name, {"rule": {name: other}}


def refused(result: Any, state: str, field: str) -> bool:
    """Whether it was a 409 that names the state and the field."""
    return isinstance(result, Conflict) and (result.members["state"], result.members["field"]) == (state, field)


@pytest.fixture
def bench(shared_shop: Shop, promotion: PromotionType) -> Bench:
    return Bench(shared_shop, promotion)


def test_what_is_shown_stays_changeable_until_the_end(bench: Bench) -> None:
    codes = {state: bench.make(state) for state in STATES}
    for name, patch in bench.patches(FREE):
        results = {state: bench.change(code, patch) for state, code in codes.items()}
        assert getattr(results["draft"], name) == getattr(bench.read(codes["draft"]), name)
        assert refused(results["ended"], "ended", name)
        if isinstance(results["not_started"], Invalid):
            # Not a thing that this type has at all.
            assert all(isinstance(results[state], Invalid) for state in SOLD)
            continue
        for state in LIVE:
            shown = results[state].model_dump()[name]
            assert shown == results["not_started"].model_dump()[name] != bench.body.get(name)


def test_the_terms_stay_from_the_start_on(bench: Bench) -> None:
    codes = {state: bench.make(state) for state in STATES}
    for name, patch in (*bench.patches(LOCKED), *bench.rule_patches()):
        field = next(iter(patch)) if name in LOCKED else f"rule.{name}"
        if field in bench.promotion.raisable or patch == {name: bench.body.get(name, "items")}:
            continue
        results = {state: bench.change(code, patch) for state, code in codes.items()}
        assert not isinstance(results["draft"], Conflict)
        # The guards of its type may speak against it, but not its state.
        assert not isinstance(results["not_started"], Conflict)
        full = f"{field}.total" if field == "limits" else field
        for state in SOLD:
            assert refused(results[state], state, full), (state, field, results[state])
        assert refused(results["ended"], "ended", field.split(".", maxsplit=1)[0])


def test_the_end_moves_only_into_the_future(bench: Bench) -> None:
    for state in SOLD:
        code = bench.make(state)
        later = bench.shop.now_ms() + HOUR_MS // 2
        assert bench.change(code, {"ends_at": later}).ends_at == bench.shop.resources.iso(later)
        assert refused(bench.change(code, {"ends_at": later - HOUR_MS}), state, "ends_at")
        assert refused(bench.change(code, {"ends_at": None}), state, "ends_at")


def test_limits_are_raised_or_taken_away_and_never_lowered(bench: Bench) -> None:
    limits = {"per_shopper": 3, "total": 100, "budget": 10_000}
    unlike = bench.change(bench.make("not_started"), {"limits": limits})
    if isinstance(unlike, Invalid):
        # Not a thing that this type has at all.
        assert all(each.field.startswith("limits") for each in unlike.errors)
        return
    codes = [bench.make(state, limits=limits) for state in SOLD]
    for state, code in zip(SOLD, codes, strict=True):
        assert refused(bench.change(code, {"limits": {**limits, "total": 99}}), state, "limits.total")
        raised = {**limits, "total": 101}
        assert bench.change(code, {"limits": raised}).limits == raised
        assert bench.change(code, {"limits": {"total": 101}}).limits["budget"] is None
        assert refused(bench.change(code, {"limits": {"total": 101, "budget": 1}}), state, "limits.budget")
        assert bench.change(code, {"limits": None}).limits is None
        assert refused(bench.change(code, {"limits": {"total": 10**6}}), state, "limits.total")


def test_what_a_type_lets_grow_never_shrinks_while_it_runs(bench: Bench) -> None:
    for state in SOLD:
        code = bench.make(state)
        for path in bench.promotion.raisable:
            name = path.removeprefix("rule.")
            value = bench.read(code).rule[name]
            assert bench.change(code, {"rule": {name: value + 2}}).rule[name] == value + 2
            assert refused(bench.change(code, {"rule": {name: value + 1}}), state, path)


def test_items_come_and_go_and_return_only_as_they_were(bench: Bench) -> None:
    if not bench.lists:
        pytest.skip("its products are not listed in its example")
    first = bench.body["items"][-1]
    added = {**first, "sku": "other"}
    own = [name for name in first if name not in ("sku", "stock")]
    for state in SOLD:
        code = bench.make(state)
        assert [item.sku for item in bench.attempt(editing.add_item, code, added).items][-1] == "other"
        removed = bench.attempt(editing.remove_item, code, "other").items[-1]
        assert (removed.sku, removed.removed) == ("other", True)
        for name in own:
            back = bench.attempt(editing.add_item, code, {**added, name: added[name] + 1})
            assert refused(back, state, f"items.{len(bench.body['items'])}"), back
            assert back.members[name] == added[name]
        back = bench.attempt(editing.add_item, code, added)
        assert [item.removed for item in back.items] == [False] * (len(bench.body["items"]) + 1)
        for name in own:
            items = [{**each, name: each[name] + 1} if name in each else each for each in bench.body["items"]]
            kept = bench.change(code, {"items": [*items, added]})
            assert refused(kept, state, f"items.{len(items) - 1}.{name}"), kept
        assert bench.attempt(editing.add_item, code, added).code == "already_listed"
        assert isinstance(bench.change(code, {"items": []}), Invalid)


def test_before_the_start_items_change_freely(bench: Bench) -> None:
    if not bench.lists:
        pytest.skip("its products are not listed in its example")
    for state in ("draft", "not_started"):
        code = bench.make(state)
        only = {**bench.body["items"][0], "sku": "third"}
        changed = bench.change(code, {"items": [only]})
        assert [item.sku for item in changed.items] == ["third"]
        assert bench.change(code, {"items": bench.body["items"]}).item_count == len(bench.body["items"])


@pytest.mark.parametrize("state", STATES)
def test_actions_need_their_state(bench: Bench, state: str) -> None:
    allowed = {
        service.publish: ("draft",),
        service.pause: LIVE,
        service.resume: LIVE,
        service.terminate: LIVE,
        service.delete_campaign: ("draft", "not_started", "ended"),
    }
    code = bench.make(state)
    for action, states in allowed.items():
        about = ({},) if action is service.terminate else ()
        result = bench.attempt(action, code, *about)
        if state in states:
            assert not isinstance(result, AdminError), (action.__name__, result)
            code = bench.make(state)
        else:
            assert isinstance(result, Conflict)
            assert result.members["state"] == state
    if state == "ended":
        for result in (
            bench.attempt(editing.add_item, code, {"sku": "other"}),
            bench.attempt(editing.remove_item, code, "kettle"),
            bench.attempt(editing.remove_item, code, "none"),
        ):
            assert refused(result, "ended", "items") or result.code == "not_found"


def test_the_type_never_changes(bench: Bench) -> None:
    other = next(name for name in TYPES if name != bench.promotion.name)
    for state in STATES:
        code = bench.make(state)
        result = bench.change(code, {"type": other})
        assert [(each.field, each.code) for each in result.errors] == [("type", "fixed")]
        assert bench.change(code, {"type": bench.promotion.name}).revision == bench.read(code).revision
