"""A port of this machine, taken to listen on."""

from __future__ import annotations

import socket

from worker.errors import PortUnusable


def listen(host: str, port: int) -> socket.socket:
    """A socket that has the port, and on which who comes before it is served waits; port 0: a free one.

    Raises:
        PortUnusable: another program has it, or the address is none of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol named: of a socket without it asyncio sets no TCP_NODELAY, and each answer waits 40 ms.
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        raise PortUnusable(host=host, port=port, reason=error.strerror or "it is no address of this machine") from None
    return found
