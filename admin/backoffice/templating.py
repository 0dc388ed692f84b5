"""starlette-admin's templates as this shop sends them: no script runs that does not bear the reply's nonce."""

from __future__ import annotations

import re
from collections.abc import Callable

from jinja2 import BaseLoader, Environment

_TAG = re.compile(r"<(script|style)(?=[\s>])(?![^>]*\bnonce=)")
_REWRITTEN = {
    # A handler in an attribute can bear no nonce; office.js does what these did.
    'onclick="applyColumnVisibility()"': 'data-office-call="applyColumnVisibility"',
    'onchange="window.location = this.value"': "data-office-goto",
    '<div class="page-body flex-grow-1">': '<div class="page-body flex-grow-1" role="main" id="main">',
    # What is pressed is a button, and a dialog has a name.
    '<a class="btn-close" data-bs-dismiss="alert" aria-label="close"></a>': (
        '<button type="button" class="btn-close" data-bs-dismiss="alert" aria-label="{{ _("Close") }}"></button>'
    ),
    'aria-labelledby="modal-action-title"': 'aria-labelledby="modal-action-title actionConfirmation"',
    # A locale is no language tag.
    'lang="{{ get_locale() }}"': 'lang="{{ language_tag() }}"',
}


class Adapted(BaseLoader):
    """A loader whose templates mark their scripts and styles as ours."""

    def __init__(self, loader: BaseLoader) -> None:
        self._loader = loader

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """A template's text, adapted.

        Raises:
            TemplateNotFound: there is none of this name.
        """
        source, path, fresh = self._loader.get_source(environment, template)
        for given, ours in _REWRITTEN.items():
            source = source.replace(given, ours)
        return _TAG.sub(r'<\1 nonce="{{ nonce() }}"', source), path, fresh
