"""`seckill operator`: somebody who may sign in, made or let in again from the command line."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from admin import migrations
from admin.errors import AdminError, Invalid
from admin.operators import passwords, service
from admin.resources import Resources
from gateway.errors import SettingsError
from gateway.orders.database import reading
from gateway.orders.pacing import one_line
from gateway.settings import Settings

ACTOR = "command line"


def run(settings: Settings, name: str, role: str, *, reset: bool) -> str:
    """Make an operator, or with `reset` give one another role and password; returns the password.

    Raises:
        SettingsError: the name is taken, unknown or no name; the database cannot be used.
    """
    password = passwords.make()
    try:
        resources = Resources.open(settings)
    except ImportError as error:
        raise SettingsError(f"SECKILL_DATABASE_URL cannot be used: {error}") from error
    try:
        with reading(resources.engine) as connection:
            lacking = migrations.lacks(connection)
        if lacking is not None:
            raise SettingsError(lacking)
        if reset:
            service.change(resources, name, {"role": role, "password": password}, actor=ACTOR)
        else:
            service.create(resources, {"name": name, "role": role, "password": password}, actor=ACTOR)
    except Invalid as error:
        raise SettingsError("; ".join(f"{each.field}: {each.message}" for each in error.errors)) from error
    except AdminError as error:
        raise SettingsError(error.detail) from error
    except SQLAlchemyError as error:
        raise SettingsError(f"SECKILL_DATABASE_URL cannot be used: {one_line(error)}") from error
    finally:
        resources.close()
    return password
