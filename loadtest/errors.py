"""Every exception of the load tools.

::

    LoadtestError
    ├── StartError       a server did not start, or ended by itself
    ├── ApiError         the operators' API refused a request or answered nonsense
    ├── LedgerError      a line of a client ledger cannot be read
    ├── GeneratorError   the click generator failed, or ran out of shoppers
    └── DirtyTreeError   figures of a tree with uncommitted changes were asked for
"""


class LoadtestError(Exception):
    """Base of all errors raised on purpose by this package."""


class StartError(LoadtestError):
    """A server did not become ready in time; the text quotes the end of its log."""


class ApiError(LoadtestError):
    """The operators' API answered with another status than the one that was asked for."""

    def __init__(self, what: str, status: int, body: object) -> None:
        super().__init__(f"{what}: status {status}: {str(body)[:600]}")
        self.status = status


class LedgerError(LoadtestError):
    """A client ledger does not have the form that the shoppers write."""


class DirtyTreeError(LoadtestError):
    """Files differ from the commit that a report would name, so nobody could measure the same again."""


class GeneratorError(LoadtestError):
    """The click generator could not do a run as asked, so its figures mean nothing."""
