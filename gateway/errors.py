"""Every exception of the gateway and the order writer.

::

    SeckillError
    ├── SettingsError            a SECKILL_* variable is missing or contradicts another
    ├── TokenError               a shopper token is not acceptable; `reason` is safe to show
    ├── ReceiptError             a receipt is not genuine
    ├── OfferError               an offer's terms cannot be published as given
    ├── MessageError             a stream entry cannot be read as winners
    ├── RecoveryError            an offer cannot be rebuilt from the ledger as it is
    └── RedisProblem             Redis did not do what was asked
        ├── NotSent              the command never left this process: certainly not executed
        ├── Refused              Redis answered with an error
        ├── OutcomeUnknown       the command was sent and no answer came
        └── ScriptContractError  a script answered with a word that its header does not list
"""


class SeckillError(Exception):
    """Base of all errors raised on purpose by this package."""


class SettingsError(SeckillError):
    """A setting is missing, malformed or contradicts another; the text says which and what to do."""


class TokenError(SeckillError):
    """A shopper token is refused. `reason` names the rule it broke and never quotes the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ReceiptError(SeckillError):
    """A receipt's signature or form is wrong."""


class OfferError(SeckillError):
    """Terms that no offer can have."""


class MessageError(SeckillError):
    """A stream entry does not have the form that `admit.lua` writes."""


class RecoveryError(SeckillError):
    """An offer cannot be rebuilt from the ledger; the text says why, and what to do."""


class RedisProblem(SeckillError):
    """Redis did not do what was asked; the subclass says how much is known."""


class NotSent(RedisProblem):
    """There was no usable connection, so nothing was executed."""


class Refused(RedisProblem):
    """Redis answered with an error; `gateway/admission/verdicts.py` says what each means for a click."""


class OutcomeUnknown(RedisProblem):
    """The command was sent, and the connection or the time ran out before an answer."""


class ScriptContractError(RedisProblem):
    """A script's reply does not match its header: code and script are of different versions."""
