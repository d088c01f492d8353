"""Known vulnerabilities of Redis and Valkey that reach what we let users do, for `scrub doctor`. Not a list of all.

Versions are those of the makers. A distribution may mend one under the number of before (Debian's 7.0.15-1~deb12u7),
which a server does not report: its changelog does.
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """One vulnerability of one product."""

    id: str
    product: str
    """Redis or Valkey."""
    what: str
    affected: tuple[str, ...]
    """Ranges of versions; each ends below the version that mends it."""
    source: str

    def mended_in(self, version: Version) -> Version | None:
        """The version that mends it for who runs this one; None where this one does not have it."""
        for ranges in map(SpecifierSet, self.affected):
            if version in ranges:
                (end,) = (one.version for one in ranges if one.operator == "<")
                return Version(end)
        return None


_LUA = "a user who may run scripts takes over the server"
_BLOCKED = "a user who waits for an entry takes over the server"
_PENDING = "a stream with a shared pending entry takes over the server"
VULNERABILITIES = (
    Vulnerability(
        "CVE-2025-49844", "Redis", _LUA, ("<6.2.20", ">=7.0,<7.2.11", ">=7.4,<7.4.6", ">=8.0,<8.0.4", ">=8.2,<8.2.2"),
        "https://github.com/redis/docs/pull/2211",
    ),
    Vulnerability(
        "CVE-2025-49844", "Valkey", _LUA, ("<7.2.11", ">=8.0,<8.0.6", ">=8.1,<8.1.4"),
        "https://github.com/valkey-io/valkey/releases/tag/8.1.4",
    ),
    Vulnerability(
        "CVE-2026-23479", "Redis", _BLOCKED,
        (">=7.4,<7.4.9", ">=8.0,<8.2.6", ">=8.4,<8.4.3", ">=8.6,<8.6.3"),
        "https://github.com/redis/docs/pull/3292",
    ),
    Vulnerability(
        "CVE-2026-23479", "Valkey", _BLOCKED, (">=8.1,<8.1.7", ">=9.0,<9.0.4"),
        "https://github.com/valkey-io/valkey/releases/tag/9.0.4",
    ),
    Vulnerability(
        "CVE-2026-66373", "Redis", _PENDING,
        ("<6.2.23", ">=7.0,<7.2.15", ">=7.4,<7.4.10", ">=8.0,<8.2.8", ">=8.4,<8.4.5", ">=8.6,<8.6.5"),
        "https://github.com/docker-library/official-images/pull/21922",
    ),
    Vulnerability(
        "CVE-2026-63639", "Valkey", _PENDING, (">=8.0,<8.0.10", ">=8.1,<8.1.9", ">=9.0,<9.0.5", ">=9.1,<9.1.1"),
        "https://github.com/valkey-io/valkey/releases/tag/9.1.1",
    ),
    Vulnerability(
        "CVE-2026-81934", "Redis", "where TLS is on, anybody who reaches its port takes over the server",
        ("<6.2.24", ">=7.0,<7.2.16", ">=7.4,<7.4.11", ">=8.0,<8.2.9", ">=8.4,<8.4.6", ">=8.6,<8.6.6", ">=8.8,<8.8.2",
         ">=8.10,<8.10.1"),
        "https://www.cve.org/CVERecord?id=CVE-2026-81934",
    ),
    Vulnerability(
        "CVE-2026-56684", "Valkey", "where TLS is on, a user who may end connections takes over the server",
        (">=8.0,<8.0.10", ">=8.1,<8.1.9", ">=9.0,<9.0.5", ">=9.1,<9.1.1"),
        "https://github.com/valkey-io/valkey/releases/tag/9.1.1",
    ),
)  # fmt: skip


def vulnerabilities(product: str, version: str) -> list[tuple[Vulnerability, Version]]:
    """Those of this server, each with the version that mends it; none where the number of its own is unreadable."""
    try:
        number = Version(version)
    except InvalidVersion:
        return []
    found = [(one, one.mended_in(number)) for one in VULNERABILITIES if one.product == product]
    return [(one, mended) for one, mended in found if mended]
