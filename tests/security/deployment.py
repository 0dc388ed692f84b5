"""A deployment with least privilege: every role its own process and its own Redis user, everything logged.

Whatever a test sends or receives that nobody else may know is noted as a secret; the end of the session looks
for them in the logs.
"""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from gateway.tokens import mint
from tests.conftest import free_port, need, wait_until
from tests.faults.processes import SECKILL, Role, clean_environment, seckill
from tests.tidy.source import ROOT

USERS = ROOT / "deploy" / "redis-users.acl"
ROLES = {"gateway": "gateway", "writer": "writer", "admin": "sidecar"}
"""Command of a role → its Redis user."""


class Deployment:
    """Redis, gateway, order writer and sidecar. Settings may be changed before `start`."""

    def __init__(self, folder: Path, *, database_url: str = "", **settings: str) -> None:
        self.folder = folder
        self.secrets: set[str] = set()
        self.redis_port, self.gateway_port, self.admin_port = free_port(), free_port(), free_port()
        self.metrics_port = free_port()
        self.gateway_url = f"http://127.0.0.1:{self.gateway_port}"
        self.admin_url = f"http://127.0.0.1:{self.admin_port}"
        self.passwords = {name: self.secret() for name in (*ROLES.values(), "mailer", "operator")}
        self.token_secret, self.admin_key, self.signing_secret = self.secret(), self.secret(), self.secret()
        self.settings = {
            "SECKILL_DATABASE_URL": database_url or f"sqlite:///{folder / 'ledger.db'}",
            "SECKILL_TOKEN_SECRET": self.token_secret,
            "SECKILL_SIGNING_SECRET": self.signing_secret,
            "SECKILL_ADMIN_KEY": self.admin_key,
            "SECKILL_METRICS_BIND": f"127.0.0.1:{self.metrics_port}",
            "SECKILL_RATE_PER_IP": "off",
            "SECKILL_RATE_PER_SHOPPER": "off",
            "SECKILL_PAYMENT_PROVIDER": "sandbox",
            "SECKILL_MIN_PAY_WINDOW_S": "1",
            "SECKILL_LEASE_MS": "20",
            "SECKILL_LOG_LEVEL": "debug",
            "SECKILL_SHUTDOWN_TIMEOUT_S": "5",
        } | {f"SECKILL_{name.upper()}": value for name, value in settings.items()}
        self.redis_role = self._redis_role()
        self.roles = {
            "gateway": self._role("gateway", "--port", str(self.gateway_port), "--workers", "1"),
            "writer": self._role("writer"),
            "admin": self._role("admin", "--port", str(self.admin_port)),
        }
        # A connection each: a server may close one that waits just when it is used again.
        self._client = httpx.Client(timeout=10, limits=httpx.Limits(max_keepalive_connections=0))

    def secret(self) -> str:
        """A new one, to be found in no log."""
        return self.note(secrets.token_hex(24))

    def note(self, secret: str) -> str:
        """Remember something that no log may show."""
        self.secrets.add(secret)
        return secret

    def _redis_role(self) -> Role:
        binary = shutil.which("redis-server") or shutil.which("valkey-server") or need("redis-server")
        (self.folder / "redis").mkdir()
        users = USERS.read_text()
        for name, password in self.passwords.items():
            users, changed = re.subn(rf"(?m)^(user {name} on) >\S+", rf"\1 >{password}", users)
            assert changed == 1, f"{USERS} has one user {name}"
        (self.folder / "users.acl").write_text(users)
        given = {
            "port": self.redis_port,
            "bind": "127.0.0.1",
            "dir": self.folder / "redis",
            "aclfile": self.folder / "users.acl",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
        }
        flat = [str(part) for name, value in given.items() for part in (f"--{name}", value)]
        return Role("redis", [binary, *flat], clean_environment(), self.folder / "redis.log")

    def redis_url(self, user: str) -> str:
        return f"redis://{user}:{self.passwords[user]}@127.0.0.1:{self.redis_port}/0"

    def environ(self, role: str) -> dict[str, str]:
        return clean_environment() | self.settings | {"SECKILL_REDIS_URL": self.redis_url(ROLES[role])}

    def _role(self, command: str, *arguments: str) -> Role:
        return Role(command, [*SECKILL, command, *arguments], self.environ(command), self.folder / f"{command}.log")

    def redis(self, user: str = "operator") -> Redis:
        return Redis.from_url(self.redis_url(user), socket_timeout=5)

    def start(self) -> Deployment:
        """Start everything and wait until it sells."""
        self.start_redis()
        done = seckill("migrate", environ=self.environ("admin"))
        assert done.returncode == 0, done.stderr
        for role in self.roles.values():
            role.start()
        self.until_ready()
        return self

    def start_redis(self) -> None:
        self.redis_role.start()
        wait_until(self._redis_answers, within_s=20, what="Redis")

    def _redis_answers(self) -> bool:
        try:
            with self.redis() as client:
                return bool(client.ping())
        except Exception:
            assert self.redis_role.alive, self.redis_role.tail()
            return False

    def until_ready(self) -> None:
        for url in (f"{self.gateway_url}/readyz", f"{self.admin_url}/admin/api/readyz"):
            wait_until(lambda url=url: self._ready(url), within_s=30, what=f"{url}\n{self.logs()}")

    def _ready(self, url: str) -> bool:
        try:
            return httpx.get(url, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def stop_roles(self) -> None:
        """Ask every process to end; `start` begins again."""
        for role in (*self.roles.values(), self.redis_role):
            role.stop()

    def stop(self) -> None:
        """End for good."""
        self._client.close()
        self.stop_roles()

    # What shoppers and operators do.

    def token(self, sub: str, **about: Any) -> str:
        return self.note(mint(self.token_secret.encode(), sub, ttl_s=3600, **about))

    def ask(self, method: str, path: str, body: Any = None, *, bearer: str = "", **about: Any) -> httpx.Response:
        """One request to whoever serves the path."""
        base = self.admin_url if path.startswith(("/api/", "/admin/", "/c/")) else self.gateway_url
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if body is not None:
            about["json"] = body
        return self._client.request(method, base + path, headers=headers | about.pop("headers", {}), **about)

    def operate(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """A request of an operator that must succeed."""
        reply = self.ask(method, f"/admin/api{path}", body, bearer=self.admin_key)
        assert reply.status_code == status, reply.text
        return reply.json()

    def shop(self, sub: str, method: str, path: str, body: Any = None, status: int = 200, **about: Any) -> Any:
        """A request of a shopper that must have this status."""
        reply = self.ask(method, path, body, bearer=self.token(sub), **about)
        assert reply.status_code == status, reply.text
        return reply.json()

    def campaign(self, code: str, *, starts_in_s: float = -1, stock: int = 100, **rule: Any) -> str:
        """A campaign with one product of its own; the offer's id."""
        sku = f"{code}-thing"
        self.operate("POST", "/products", {"sku": sku, "name": "Thing", "price": 12900, "stock": stock}, 201)
        now_ms = self.now_ms()
        start_ms = now_ms + int(starts_in_s * 1000)
        body = {
            "type": "seckill",
            "name": "Sale",
            "code": code,
            "starts_at": start_ms,
            "ends_at": start_ms + 3_600_000,
            "rule": {"price": 9900, "pay_within_s": 600, **rule},
            "items": [{"sku": sku, "stock": stock}],
        }
        self.operate("POST", "/campaigns", body, 201)
        return f"{code}-{sku}"

    def now_ms(self) -> int:
        with self.redis() as client:
            seconds, microseconds = client.time()  # type: ignore[misc]
        return int(seconds) * 1000 + int(microseconds) // 1000

    def win(self, offer: str, sub: str) -> dict[str, Any]:
        """A click that wins, and its order in the ledger."""
        ticket: dict[str, Any] = self.shop(sub, "POST", f"/seckill/{offer}", status=201)
        self.note(ticket["receipt"])
        wait_until(lambda: self.order(sub, ticket["order_no"]) is not None, what="the order")
        return ticket

    def order(self, sub: str, order_no: str) -> dict[str, Any] | None:
        reply = self.ask("GET", f"/api/orders/{order_no}", bearer=self.token(sub))
        return reply.json() if reply.status_code == 200 else None

    # What it left.

    def refused_by_redis(self) -> list[str]:
        """What Redis users were not allowed to do."""
        with self.redis() as client:
            entries: Any = client.acl_log()
        return [f"{each['username']}: {each['reason']} {each['object']}" for each in entries]

    def logs(self) -> str:
        """Everything that any process has logged."""
        parts = [role.log for role in (*self.roles.values(), self.redis_role)]
        return "\n".join(path.read_text(errors="replace") for path in parts if path.exists())

    def assert_silent(self) -> None:
        """No log shows a secret, and nobody stumbled."""
        logs = self.logs()
        assert len(logs) > 1000, "the roles have logged something"
        shown = [secret[:12] for secret in self.secrets if secret in logs]
        assert not shown, f"logs show secrets that begin with {shown}"
        stumbled = [line for line in logs.splitlines() if "Traceback" in line or "a request failed" in line]
        assert not stumbled, "\n".join(stumbled)
