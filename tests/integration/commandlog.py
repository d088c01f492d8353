"""What a server kept of commands that were slow or large.

Public reports of the kind: redis#11747, valkey#877 (arguments in a server's logs leave the machine with them).
"""

from __future__ import annotations

from redis import Redis

CANARY = "CANARYCOMMAND"


def _kept(admin: Redis) -> str:
    # Valkey keeps large commands since 8.1; other servers do not know them.
    kinds = ("slow", "large-request", "large-reply") if admin.config_get("commandlog-*") else ()
    logs = [admin.execute_command("SLOWLOG GET", "-1")]
    return str(logs + [admin.execute_command("COMMANDLOG GET", "-1", kind) for kind in kinds])


def _slow_and_large(admin: Redis) -> None:
    admin.eval("for turn = 1, 10000000 do end return ARGV[1]", 0, CANARY)
    admin.echo(CANARY + "x" * 2_000_000)


def keeps_no_arguments(admin: Redis) -> None:
    """A slow and a large command leave nothing behind, and do once the server is set to keep them."""
    _slow_and_large(admin)
    assert CANARY not in _kept(admin)
    before = admin.config_get("*log-*er-than")
    assert "slowlog-log-slower-than" in before
    try:
        for name in before:
            admin.config_set(name, 1_000)
        _slow_and_large(admin)
        assert _kept(admin).count(CANARY) >= len(before), "it looks where they would be"
    finally:
        for name, value in before.items():
            admin.config_set(name, value)
