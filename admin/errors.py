"""Every exception the sidecar raises on purpose. Services raise them and know nothing of HTTP.

::

    AdminError                  `code` for programs, a sentence for people, members that belong to it
    ├── Invalid                 the input breaks rules; `errors` lists all of them
    ├── Malformed               not even readable: syntax, header or encoding
    ├── TooLarge                a body over the limit
    ├── Unauthenticated         no key, or a wrong one
    │   └── BadSignature        a callback that its provider has not signed, or not just now
    ├── Forbidden               whoever asks may not do this, or cannot prove that they meant to
    ├── NotFound                there is no such thing
    ├── WrongMethod             the path exists, the method does not
    ├── PaymentRefused          the provider does not take the money
    ├── Conflict                the thing's present state forbids it
    │   └── NotReady            it will be there in a moment
    ├── StaleRevision           somebody changed it in between
    ├── Unavailable             a part is away; nothing was stored
    ├── Lost                    Redis lacks an offer that was on sale; only recovery may act on it
    └── Deferred                stored in the database; Redis gets it as soon as it can
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One broken rule. `field` is a dotted path, list positions from 0; empty for the whole input."""

    field: str
    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        """The form the contract gives it."""
        return asdict(self)


class AdminError(Exception):
    """Base of all errors raised on purpose by this package."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.members = members


class Invalid(AdminError):
    """The input breaks rules. Carries every broken rule, not only the first."""

    code = "invalid"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        count = len(errors)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the input")
        self.errors = list(errors)

    @classmethod
    def one(cls, field: str, code: str, message: str) -> Invalid:
        """A single broken rule."""
        return cls([FieldError(field, code, message)])


class Malformed(AdminError):
    """The request cannot be read."""

    code = "malformed"


class TooLarge(AdminError):
    """The body is over the limit."""

    code = "too_large"


class Unauthenticated(AdminError):
    """There is no key, or it is not one of ours."""

    code = "unauthenticated"


class BadSignature(Unauthenticated):
    """A callback is not genuine, or so old that it may be a replay."""

    code = "bad_signature"


class Forbidden(AdminError):
    """Whoever asks is known, and may not do this; or their browser was sent here by another site."""

    code = "forbidden"


class NotFound(AdminError):
    """There is no such thing."""

    code = "not_found"


class WrongMethod(AdminError):
    """The path is known, but not with this method."""

    code = "method_not_allowed"


class PaymentRefused(AdminError):
    """The provider does not take the money; the order may be paid in another way."""

    code = "payment_refused"


class Conflict(AdminError):
    """The thing's present state forbids what was asked."""

    code = "conflict"


class NotReady(Conflict):
    """The thing is on its way here: the caller should ask again soon."""

    code = "not_ready"


class StaleRevision(AdminError):
    """The revision the caller knows is no longer the newest."""

    code = "stale_revision"


class Unavailable(AdminError):
    """A part that is needed is away, and nothing was stored."""

    code = "unavailable"


class Lost(AdminError):
    """Redis lacks an offer that was on sale, or has it differently: only recovery may act on it."""

    code = "offer_unavailable"

    def __init__(self, offer: str) -> None:
        super().__init__(f"Redis has lost the offer {offer}, which waits for recovery", offer=offer)
        self.offer = offer


class Deferred(AdminError):
    """The change is stored; Redis does not have it yet and will get it without further asking."""

    code = "stored_not_published"
