"""A network between workers and Redis that can be broken: cut, slow, half-open, or deaf (requests pass, answers do not)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["open", "hole", "deaf", "closed"]


@dataclass(eq=False)
class _Link:
    near: socket.socket
    far: socket.socket
    dead: bool = False
    """It went through a hole: what was swallowed makes the rest meaningless, so nothing passes any more."""

    def close(self) -> None:
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@dataclass
class Proxy:
    """Listens on a loopback port of its own, and passes on to another."""

    target: int
    mode: Mode = "open"
    delay: float = 0
    """Seconds by which each piece is late, in each direction."""
    port: int = 0
    _links: set[_Link] = field(default_factory=set)
    _ended: bool = False

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> int:
        """Resets every connection; answers how many."""
        links = tuple(self._links)
        for link in links:
            link.close()
        return len(links)

    def close(self) -> None:
        self._ended = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join(5)

    def _accept(self) -> None:
        while not self._ended:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.mode == "closed":
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 3)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(near, far)
            self._links.add(link)
            for source, sink, back in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._pass, args=(link, source, sink, back), daemon=True).start()

    def _pass(self, link: _Link, source: socket.socket, sink: socket.socket, back: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                if self.mode == "hole" or (self.mode == "deaf" and back):
                    link.dead = True
                if link.dead and (back or self.mode != "deaf"):
                    continue
                if self.delay:
                    time.sleep(self.delay)
                sink.sendall(piece)
        link.close()
        self._links.discard(link)
