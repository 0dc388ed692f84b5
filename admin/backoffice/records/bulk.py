"""Doing the same to many records: what was done is counted, what was refused is told with its reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette_admin.exceptions import ActionFailed
from starlette_admin.flash import flash

from admin.errors import AdminError, Forbidden
from admin.pages.locales import gettext, ngettext
from admin.pages.wording import told

TOLD_MAX = 5
"""Refusals told one by one; the others are counted. What is told so waits in a cookie."""


async def each(
    request: Request, keys: Iterable[str], act: Callable[[str], Awaitable[object]], done: Callable[[int], str]
) -> None:
    """Do something to every record. `done` says it of how many.

    Raises:
        ActionFailed: with the reasons, when it was done to none.
        Forbidden: this operator may not.
    """
    count, refused = 0, []
    for key in keys:
        try:
            await act(key)
            count += 1
        except Forbidden:
            raise
        except AdminError as error:
            refused.append(gettext("%(key)s: %(reason)s") % {"key": key, "reason": told(error)})
    text = _refused(refused)
    if refused and not count:
        raise ActionFailed(text)
    flash(request, done(count), "success")
    if refused:
        flash(request, text, "warning")


def _refused(refused: list[str]) -> str:
    lines = refused[:TOLD_MAX]
    more = len(refused) - len(lines)
    if more:
        lines.append(ngettext("and %(count)s more", "and %(count)s more", more) % {"count": more})
    return gettext("Not done: %(reasons)s") % {"reasons": "; ".join(lines)} if lines else ""
