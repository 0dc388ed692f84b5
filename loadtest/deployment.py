"""Servers that need each other: started one after the other, stopped in the reverse order."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Self

import httpx

from loadtest.errors import StartError
from loadtest.processes import ROOT, Server, clean_environ, seckill_command


class Deployment:
    """A running system in a folder of its own; a context manager. What is started, `_start` of a subclass says."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self._servers: list[Server] = []
        self._environ: dict[str, str] = {}
        """Settings of everything that is started."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        raise NotImplementedError

    def _serve(self, name: str, command: list[str], core: int | None) -> Server:
        server = Server.start(name, command, folder=self.folder, environ=self._environ, core=core)
        self._servers.append(server)
        return server

    def _run(self, *arguments: str) -> None:
        """Run a command of `seckill` to its end.

        Raises:
            StartError: it failed.
        """
        command = [seckill_command(), *arguments]
        environ = {**clean_environ(), **self._environ}
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StartError(f"seckill {arguments[0]} ended with {done.returncode}:\n{done.stderr}")

    def stop(self) -> None:
        """Stop everything. Redis was started first and goes last."""
        while self._servers:
            self._servers.pop().stop()


def answers(url: str) -> bool:
    """Whether a server answers this address, and well."""
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
