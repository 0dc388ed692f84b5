"""Which providers there are, and which one takes new payments."""

from __future__ import annotations

from admin.errors import Conflict, NotFound
from admin.payments.providers.interface import Provider
from admin.payments.providers.sandbox import Sandbox
from admin.resources import Resources

_KINDS = {Sandbox.name: Sandbox}


def named(resources: Resources, name: str) -> Provider:
    """The provider of an earlier payment, whichever takes new ones today.

    Raises:
        NotFound: there is none with this name.
    """
    kind = _KINDS.get(name)
    if kind is None:
        raise NotFound(f"there is no payment provider {name}")
    return kind(resources.settings.signing_secrets)


def chosen(resources: Resources) -> Provider:
    """The provider that takes new payments.

    Raises:
        Conflict: none is configured.
    """
    name = resources.settings.payment_provider
    if name == "none":
        raise Conflict("nobody takes payments here: set SECKILL_PAYMENT_PROVIDER", code="no_payment_provider")
    return named(resources, name)
