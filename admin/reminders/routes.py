"""Reminders over HTTP."""

from __future__ import annotations

from admin.paging import Page
from admin.reminders import service
from admin.reminders.models import Reminder, ReminderInput, ReminderPage, Withdrawn
from admin.routing import Body, Call, Endpoint


def _ask(call: Call) -> Reminder:
    return service.ask(call.resources, call.shopper, call.body)


def _list(call: Call) -> ReminderPage:
    return service.page(call.resources, call.shopper, call.query(Page))


def _withdraw(call: Call) -> Withdrawn:
    return Withdrawn(deleted=service.withdraw(call.resources, call.shopper, call.path["id"]))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/reminders",
        "ask_reminder",
        "Be reminded of an offer before it starts; asking again changes when",
        _ask,
        Reminder,
        status=201,
        body=Body((ReminderInput,)),
        problems=(404, 409),
        caller="shopper",
    ),
    Endpoint(
        "GET",
        "/api/reminders",
        "list_reminders",
        "Your reminders, newest first",
        _list,
        ReminderPage,
        query=Page,
        caller="shopper",
    ),
    Endpoint(
        "DELETE",
        "/api/reminders/{id}",
        "withdraw_reminder",
        "Take a reminder back",
        _withdraw,
        Withdrawn,
        problems=(404,),
        caller="shopper",
    ),
)
