"""Every view of the back office, in the order of its menu."""

from __future__ import annotations

from starlette_admin.views import BaseView

from admin.backoffice.wizard.view import Wizard

VIEWS: tuple[type[BaseView] | BaseView, ...] = (Wizard,)
