"""A cart to try: what it costs with the draft in it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from admin.campaigns.models import Campaign


async def context(request: Request, campaign: Campaign) -> dict[str, Any]:
    """What the template of the cart needs."""
    return {}
