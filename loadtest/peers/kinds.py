"""The peers that the gateway is compared with: what each needs to be there, and how it is started."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from loadtest.errors import StartError
from loadtest.processes import ROOT

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "take.lua"
BUILD_TIMEOUT_S = 600
_NGINX_MODULES = Path("/usr/lib/nginx/modules")
_NGINX_LUA = Path("/usr/share/lua/5.1")
_GO_PATH = Path("/usr/share/gocode")
_GO_SOURCES = _GO_PATH / "src" / "github.com"

Settings = Mapping[str, str]
"""The environment that a peer reads: PEER_PORT, PEER_SECRET, PEER_REDIS, PEER_RATE, PEER_WINDOW_MS, …"""


@dataclass(frozen=True, slots=True)
class Kind:
    """One peer. `command` prepares it in a folder and returns what to run."""

    name: str
    title: str
    install: str
    """How to get what it needs; the benchmark never does that by itself."""

    missing: Callable[[], list[str]]
    """What is not there, empty when it can run."""

    command: Callable[[Path, Settings], list[str]]
    scenarios: tuple[str, ...] = ("win", "sold_out", "duplicate", "mixed")
    """Where it differs from another kind, and what it is fast enough for: `mixed` sends so many clicks."""

    settings: Settings = field(default_factory=dict)
    """What it is told besides, or otherwise than the others."""


def _nginx_missing() -> list[str]:
    needed = {
        "nginx-light": shutil.which("nginx") is not None,
        "libnginx-mod-http-lua": (_NGINX_MODULES / "ngx_http_lua_module.so").exists(),
        "lua-nginx-redis": (_NGINX_LUA / "nginx" / "redis.lua").exists(),
        "lua-cjson": (_NGINX_LUA / "cjson").exists(),
    }
    return [package for package, there in needed.items() if not there]


def _nginx(folder: Path, settings: Settings) -> list[str]:
    values = {
        "@FOLDER@": str(folder),
        "@HERE@": str(HERE / "nginx_lua"),
        "@MODULES@": str(_NGINX_MODULES),
        "@PORT@": settings["PEER_PORT"],
        "@USER@": pwd.getpwuid(os.geteuid()).pw_name,
    }
    text = (HERE / "nginx_lua" / "nginx.conf").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, value)
    path = folder / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    return [shutil.which("nginx") or "nginx", "-p", str(folder), "-c", str(path), "-e", "stderr"]


def _go_missing() -> list[str]:
    needed = {
        "golang-go": shutil.which("go") is not None,
        "golang-github-gin-gonic-gin-dev": (_GO_SOURCES / "gin-gonic" / "gin").exists(),
        "golang-github-gomodule-redigo-dev": (_GO_SOURCES / "gomodule" / "redigo").exists(),
    }
    return [package for package, there in needed.items() if not there]


def _go(folder: Path, settings: Settings) -> list[str]:
    del settings
    program = folder / "go_gin"
    # Outside of modules, with Debian's sources: nothing is downloaded. The cache spares the next build a minute.
    cache = ROOT / ".bench" / "go"
    environ = {**os.environ, "GO111MODULE": "off", "GOPATH": str(_GO_PATH), "GOCACHE": str(cache), "GOFLAGS": ""}
    done = subprocess.run(
        ["go", "build", "-o", str(program), str(HERE / "go_gin" / "main.go")],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_TIMEOUT_S,
    )
    if done.returncode != 0:
        raise StartError(f"go build ended with {done.returncode}:\n{done.stderr}")
    # One processor, like every other server here; and a collector that runs less often, as memory is no matter.
    return ["env", "GOMAXPROCS=1", "GOGC=400", str(program)]


def _fastapi_missing() -> list[str]:
    return [package for package in ("fastapi", "uvicorn", "httptools") if find_spec(package) is None]


def _fastapi(folder: Path, settings: Settings) -> list[str]:
    del folder, settings
    return [sys.executable, "-m", "loadtest.peers.fastapi_app.app"]


_NGINX_INSTALL = "apt-get install nginx-light libnginx-mod-http-lua lua-nginx-redis lua-cjson"
FLAG_MS = 200
"""How long a worker repeats `sold_out` without asking: as long as the gateway does by default."""

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "nginx_lua",
            "nginx + Lua",
            _NGINX_INSTALL,
            _nginx_missing,
            _nginx,
        ),
        # A shortcut that many take: quick, but a winner who asks again hears sold_out.
        Kind(
            "nginx_lua_flag",
            "nginx + Lua, sold-out flag",
            _NGINX_INSTALL,
            _nginx_missing,
            _nginx,
            scenarios=("sold_out", "mixed"),
            settings={"PEER_SOLD_OUT_MS": str(FLAG_MS)},
        ),
        Kind(
            "go_gin",
            "Go, gin + redigo",
            "apt-get install golang-go golang-github-gin-gonic-gin-dev golang-github-gomodule-redigo-dev",
            _go_missing,
            _go,
        ),
        Kind(
            "fastapi",
            "FastAPI + redis-py",
            ".venv/bin/python -m pip install --editable '.[peers]'",
            _fastapi_missing,
            _fastapi,
            scenarios=("win", "sold_out", "duplicate"),
        ),
    )
}
"""All peers by name, the one that goals speak of first."""
