"""What `seckill up` will run, decided and checked before anything is started."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from admin.up import addresses
from admin.up.child import Part
from admin.up.data_folder import DataFolder, complete_secrets
from gateway import lifeline
from gateway.settings import Bind, Settings

WORKERS_DEFAULT_MAX = 2
PROBE_WITHIN_S = 1.0
DRAINED_BEFORE_EXIT_S = 5.0
"""What a role gets on top of `SECKILL_SHUTDOWN_TIMEOUT_S` to leave before it is killed."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line. A port of 0 is any free one; without `workers` environment or machine say."""

    data: Path
    host: str
    gateway_port: int
    admin_port: int
    workers: int | None
    demo: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Addresses, and the environment that every part is started with."""

    folder: DataFolder
    gateway: Bind
    admin: Bind
    metrics: Bind
    workers: int
    demo: bool
    environment: dict[str, str]
    settings: Settings

    @classmethod
    def make(cls, options: Options, folder: DataFolder, environ: Mapping[str, str], redis_url: str) -> Plan:
        """Check everything that can be checked without starting anything.

        Raises:
            SettingsError: a variable is wrong.
            CannotStart: a port is taken, or the secrets cannot be kept.
        """
        given = dict(environ)
        environment = given | complete_secrets(folder, given)
        environment["SECKILL_REDIS_URL"] = redis_url
        environment.setdefault("SECKILL_DATABASE_URL", folder.database_url)
        if options.demo:
            environment.setdefault("SECKILL_PAYMENT_PROVIDER", "sandbox")
        asked = Settings.from_env(environment)
        gateway = addresses.reserve(options.host, options.gateway_port, "gateway")
        admin = addresses.reserve(options.host, options.admin_port, "sidecar", gateway)
        may_move = "SECKILL_METRICS_BIND" not in given
        metrics = addresses.reserve_metrics(asked.metrics_bind, gateway, admin, may_move=may_move)
        workers = options.workers or (asked.workers if "SECKILL_WORKERS" in given else _workers_default())
        demo_tokens = options.demo and addresses.is_loopback(options.host)
        environment |= {
            "SECKILL_WORKERS": str(workers),
            "SECKILL_METRICS_BIND": addresses.text(metrics),
            "SECKILL_DEMO": given.get("SECKILL_DEMO", "1") if demo_tokens else "0",
            lifeline.PARENT_VARIABLE: str(os.getpid()),
            "TMPDIR": str(folder.scratch),
            "SECKILL_GATEWAY_URL": given.get("SECKILL_GATEWAY_URL", addresses.url(gateway)),
            "SECKILL_ORDERS_URL": given.get("SECKILL_ORDERS_URL", f"{addresses.url(admin)}/orders"),
            # A log line is worth most when its process is killed the moment after.
            "PYTHONUNBUFFERED": "1",
        }
        settings = Settings.from_env(environment)
        return cls(folder, gateway, admin, metrics, workers, options.demo, environment, settings)

    def roles(self) -> tuple[Part, Part, Part]:
        """Gateway, order writer and sidecar."""
        leave_s = self.settings.shutdown_timeout_s + DRAINED_BEFORE_EXIT_S
        gateway, admin = addresses.url(self.gateway), addresses.url(self.admin)
        return (
            Part(
                "gateway",
                seckill("gateway", *_listen_on(self.gateway), "--workers", str(self.workers)),
                self.environment,
                answers_200(f"{gateway}/readyz"),
                leave_s,
            ),
            Part("writer", seckill("writer"), self.environment, lambda: True, leave_s),
            Part(
                "admin",
                seckill("admin", *_listen_on(self.admin)),
                self.environment,
                answers_200(f"{admin}/admin/api/readyz"),
                leave_s,
            ),
        )

    def migrate(self) -> Part:
        """Brings the database to the newest schema, once."""
        return Part("migrate", seckill("migrate"), self.environment, lambda: True, 0.0)

    def first_operator(self) -> Part:
        """Makes the first operator where there is none, and keeps their password in a file of the data folder."""
        command = [sys.executable, "-P", "-m", "admin.up.first_operator", str(self.folder.first_operator)]
        return Part("first-operator", command, self.environment, lambda: True, 0.0)

    def refresh_demo(self) -> Part:
        """Makes what is missing of the demo sales, once."""
        return Part("demo", [sys.executable, "-P", "-m", "admin.up.demo"], self.environment, lambda: True, 0.0)

    def ready_line(self) -> str:
        """What `up` prints on standard output when all answer."""
        gateway, admin = addresses.url(self.gateway), addresses.url(self.admin)
        return f"ready gateway={gateway} admin={admin} storefront={admin} data={self.folder.path}"


def seckill(*arguments: str) -> list[str]:
    """A `seckill` command with this interpreter; -P keeps a folder that happens to be called `admin` out."""
    return [sys.executable, "-P", "-m", "admin.cli", *arguments]


def answers_200(url: str) -> Callable[[], bool]:
    """A probe of an HTTP address on this machine."""
    address, _, path = url.removeprefix("http://").partition("/")

    def probe() -> bool:
        connection = http.client.HTTPConnection(address, timeout=PROBE_WITHIN_S)
        try:
            connection.request("GET", f"/{path}")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def _listen_on(bind: Bind) -> tuple[str, ...]:
    return "--host", bind.host, "--port", str(bind.port)


def _workers_default() -> int:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(WORKERS_DEFAULT_MAX, processors)
