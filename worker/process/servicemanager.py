"""What a service manager is told: systemd, and others that speak its protocol (sd_notify(3)).

Only where it asked for that, by NOTIFY_SOCKET. That it is told from the main loop is the point: a thread would go on
while the loop hangs, and keep a worker that decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket

TURNS = "READY=1\nWATCHDOG=1"
"""The main loop turns. Said again and again, as whoever came late needs it; of READY the first counts."""
STOPS = "STOPPING=1"
"""It finishes what is in hand."""


def tell(state: str) -> None:
    """Tells the service manager, if there is one; one that does not listen is not waited for, and is no error."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    name = "\0" + address[1:] if address[0] == "@" else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.setblocking(False)
        out.connect(name)
        out.send(state.encode())
