"""A way to Redis on which commands and answers can be lost, late, or cut off."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType

from tests.conftest import RedisServer

_RESET = struct.pack("ii", 1, 0)
"""`SO_LINGER` by which closing a socket resets its connection."""


class LossyWay:
    """Passes bytes between a gateway and Redis.

    While `losing`, what Redis says is thrown away: scripts run, and nobody hears of it. While `holding`, clicks
    (commands that call a script) are kept back: they have been sent and have not arrived.
    """

    def __init__(self, server: RedisServer) -> None:
        self._to = ("127.0.0.1", server.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.losing = False
        self.holding = False
        self.lost = 0
        self._held: dict[socket.socket, list[tuple[socket.socket, bytes]]] = {}
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> LossyWay:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self._accepting.join()

    def refuse(self) -> None:
        """From now on there is no way at all."""
        for each in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    @property
    def held(self) -> int:
        """Connections on which a click is kept back."""
        return len(self._held)

    def release(self) -> None:
        """What was kept back arrives now."""
        self.holding = False
        held = list(self._held.values())
        self._held.clear()
        for commands in held:
            for target, data in commands:
                target.sendall(data)

    def reset_held(self) -> None:
        """The connections of the clicks kept back are reset; the clicks never arrive."""
        self.holding = False
        held = list(self._held)
        self._held.clear()
        for near in held:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # The thread that reads here would keep the connection open.
            near.shutdown(socket.SHUT_RD)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._to)
            except OSError:
                return
            self._open += [near, far]
            threading.Thread(target=self._pass, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if answers and self.losing:
                    self.lost += len(data)
                elif not answers and (source in self._held or (self.holding and b"EVALSHA" in data)):
                    self._held.setdefault(source, []).append((target, data))
                else:
                    target.sendall(data)
        if source in self._held:
            return  # whoever sent it has given up, and it is still on its way
        with contextlib.suppress(OSError):
            if not answers:
                source.close()
            target.shutdown(socket.SHUT_WR)
