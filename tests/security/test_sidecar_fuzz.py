"""Given requests made up from the sidecar's own description, it never stumbles and answers as it describes."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin import openapi
from admin.app import ENDPOINTS
from tests.security.deployment import Deployment

with warnings.catch_warnings():
    # It warns of what its own dependencies will change one day.
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi import checks

EXAMPLES = 2
EXAMPLES_SOAK = 400
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(openapi.document(ENDPOINTS))
ENDLESS = {"watch_live", "watch_all_live"}
"""Streams that go on as long as somebody listens; they have tests of their own."""
OPERATIONS = {
    name: each.ok()
    for each in SCHEMA.get_all_operations()
    if (name := each.ok().definition.raw["operationId"]) not in ENDLESS
}


@pytest.fixture(scope="module")
def known(deployment: Deployment) -> dict[str, list[str]]:
    """Values of path parameters that lead to something, so that not every request ends with 404."""
    offer = deployment.campaign("fuzz", stock=50, limit_per_shopper=1)
    orders = [deployment.win(offer, sub)["order_no"] for sub in ("fuzzer", "fuzzer2", "fuzzer3")]
    deployment.shop("fuzzer", "POST", f"/api/orders/{orders[0]}/pay", {})
    later = deployment.campaign("fuzzlater", starts_in_s=3000)
    reminder = deployment.shop("fuzzer", "POST", "/api/reminders", {"offer": later}, 201)
    return {
        "sku": ["fuzz-thing", "fuzzlater-thing"],
        "code": ["fuzz", "fuzzlater"],
        "order_no": orders,
        "id": [str(reminder["id"])],
        "provider": ["sandbox", "none"],
    }


def bearer(shop: Deployment, operation: Any) -> str:
    schemes = [name for choice in operation.definition.raw["security"] for name in choice]
    return shop.admin_key if schemes != ["token"] else shop.token("fuzzer")


def fuzz(shop: Deployment, known: dict[str, list[str]], name: str, examples: int) -> None:
    operation = OPERATIONS[name]
    authorization = {"Authorization": f"Bearer {bearer(shop, operation)}"}
    strategy = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )

    @given(case=strategy, choice=st.integers(min_value=0, max_value=7))
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def send(case: Any, choice: int) -> None:
        for parameter in case.path_parameters or {}:
            if choice < 6 and parameter in known:
                case.path_parameters[parameter] = known[parameter][choice % len(known[parameter])]
        reply = case.call(base_url=shop.admin_url, headers=authorization, timeout=20)
        assert reply.status_code < 500, f"{case.as_curl_command()}\n{reply.text}"
        case.validate_response(reply, checks=CHECKS)
        for secret in (shop.admin_key, shop.token_secret, shop.signing_secret, *shop.passwords.values()):
            assert secret not in reply.text
        assert "Traceback" not in reply.text

    send()


@pytest.mark.parametrize("name", OPERATIONS)
def test_made_up_requests(deployment: Deployment, known: dict[str, list[str]], name: str) -> None:
    fuzz(deployment, known, name, EXAMPLES)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", OPERATIONS)
def test_many_made_up_requests(deployment: Deployment, known: dict[str, list[str]], name: str) -> None:
    fuzz(deployment, known, name, EXAMPLES_SOAK)
