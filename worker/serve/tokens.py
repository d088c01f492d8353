"""Tokens of programs: 256 random bits, shown once and kept as a hash, in a file that is ours alone.

In a file and not in the case store: checks and submissions go on while that is gone, and one machine may have other
tokens than another. A token has 256 bits, so a plain hash keeps it; a slow one is for what people make up.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import orjson

from worker.errors import TokensUnusable, TokenUnknown
from worker.store.private import make_folder, open_private, write_private
from worker.store.secret import private_content

PREFIX = "scrub"
"""Begins every token, so that what looks for lost secrets finds one."""
_LIMIT = 2**22
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
"""Compared with where no token of that id is known: it takes as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of a token."""

    id: str
    """The part that may be shown."""
    name: str
    digest: str
    """SHA-256 of the whole token."""
    scopes: tuple[str, ...]
    facilities: tuple[str, ...] | None = None
    """None: all."""
    producer: str = ""
    source: str = ""
    made: str
    made_by: str
    expires: str | None = None
    """ISO 8601 in UTC; None: never."""
    revoked: str | None = None

    def state(self, now: datetime) -> str:
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and datetime.fromisoformat(self.expires) <= now else "valid"


class TokenFile:
    """The tokens of this machine. Who asks for one sees what was made or revoked a moment ago."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._read: tuple[tuple[int, ...], Mapping[str, Token]] | None = None

    def all(self) -> list[Token]:
        """Every token that was ever made, the oldest first.

        Raises:
            TokensUnusable
        """
        return list(self._tokens().values())

    def find(self, shown: str) -> Token | None:
        """The token that somebody shows, where it is one that was made here; whether it still counts is another matter.

        Raises:
            TokensUnusable
        """
        _, _, rest = shown.partition("_")
        found = self._tokens().get(rest.partition("_")[0])
        digest = hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()
        same = hmac.compare_digest(digest, found.digest if found else _NOBODY)
        return found if same else None

    def add(
        self, name: str, scopes: Iterable[str], *, made_by: str, facilities: tuple[str, ...] | None = None,
        producer: str = "", source: str = "", expires: datetime | None = None,
    ) -> tuple[Token, str]:  # fmt: skip
        """Makes a token; answers it, and its text, which nobody can tell later.

        Raises:
            TokensUnusable, FolderUnusable
        """
        id = secrets.token_hex(4)
        text = f"{PREFIX}_{id}_{secrets.token_urlsafe(32)}"
        made = Token(
            id=id, name=name, digest=hashlib.sha256(text.encode()).hexdigest(), scopes=tuple(scopes),
            facilities=facilities, producer=producer, source=source, made=_moment(datetime.now(UTC)), made_by=made_by,
            expires=_moment(expires) if expires else None,
        )  # fmt: skip
        with self._writing() as tokens:
            tokens[id] = made
        return made, text

    def revoke(self, id: str) -> Token:
        """Has a token count no longer; it stays in the list.

        Raises:
            TokenUnknown, TokensUnusable, FolderUnusable
        """
        with self._writing() as tokens:
            if id not in tokens:
                raise TokenUnknown(token=id)
            tokens[id] = replace(tokens[id], revoked=tokens[id].revoked or _moment(datetime.now(UTC)))
            return tokens[id]

    def _tokens(self) -> Mapping[str, Token]:
        try:
            found = os.stat(self.file)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise TokensUnusable(file=self.file, reason=error.strerror) from None
        mark = (found.st_ino, found.st_mtime_ns, found.st_size)
        if self._read is None or self._read[0] != mark:
            self._read = mark, self._load()
        return self._read[1]

    def _load(self) -> dict[str, Token]:
        def refused(reason: str) -> TokensUnusable:
            return TokensUnusable(file=self.file, reason=reason)

        if not self.file.exists():
            return {}
        content = private_content(self.file, refused, _LIMIT)
        try:
            return {one["id"]: _token(one) for one in orjson.loads(content)}
        except (ValueError, TypeError, KeyError):
            raise refused("it is none of `scrub token`") from None

    @contextmanager
    def _writing(self) -> Iterator[dict[str, Token]]:
        """One at a time, whichever process."""
        try:
            make_folder(self.file.parent)
            lock = open_private(self.file.with_name(f".{self.file.name}.lock"), os.O_RDWR)
        except OSError as error:
            raise TokensUnusable(file=self.file, reason=error.strerror) from None
        try:
            flock(lock, LOCK_EX)
            tokens = self._load()
            yield tokens
            lines = [orjson.dumps(asdict(one)) for one in tokens.values()]
            write_private(self.file, b"[\n" + b",\n".join(lines) + b"\n]\n")
        finally:
            os.close(lock)


def _token(said: dict[str, Any]) -> Token:
    facilities = said["facilities"]
    listed = {"scopes": tuple(said["scopes"]), "facilities": None if facilities is None else tuple(facilities)}
    return Token(**said | listed)


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds")
