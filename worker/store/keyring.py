"""Two rings of keys: `audit` (chains, heads, digests that are compared) and `patient` (hashes of patients).

The file `secret` is the first key of both, so an installation that never rotated has one file and two rings of one
key. `scrub secret rotate` writes further keys into `secret.audit` or `secret.patient` beside it: a line each, id, when
it was made, when it came in force (`-`: not on this machine), the key. An id is derived from its key, so that a torn or
mistyped line is found. No key is ever taken out: old files and old digests want theirs.

Which keys are in force stands in Redis, with each partition (`Keys.rings`): two ids, empty where nobody ever rotated.
Who does not have one of them refuses to work (`KeyNotHere`), and takes it up once the file is there.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from worker.errors import KeyNotHere, RingUnusable
from worker.store.private import write_private
from worker.store.secret import derived, fingerprint, keyed, load_secret, private_content

RingName = Literal["audit", "patient"]
RINGS: tuple[RingName, ...] = get_args(RingName)
WAITS = timedelta(days=31)
"""For how long a key that was made may wait to come in force; then another is made in its place."""
_BYTES = 32
_ID = 8
_LINE = re.compile(r"([0-9a-f]{8}) (\d{4}-\d\d-\d\dT\d\d:\d\dZ) (\d{4}-\d\d-\d\dT\d\d:\d\dZ|-) ([0-9a-f]{64,})")
_HEADING = """\
# The ring `{ring}`, the oldest key first; before all of them comes the file `{secret}`. Made by `scrub secret rotate`.
# id, made, in force since (by this machine), key. Keep a copy apart, as of `{secret}`; never take a line out.
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a ring."""

    id: str
    secret: bytes
    made: datetime | None = None
    """None: the file `secret`."""
    since: datetime | None = None
    """When it came in force, where this machine saw to that."""


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys of a ring, the oldest first, and which of them is in force."""

    keys: tuple[Key, ...]
    place: int = 0
    """Of the one in force; those after it were made and wait."""
    file: str = "secret"
    """Where its keys are, for the sentence of an error."""

    @classmethod
    def of(cls, secret: bytes) -> Ring:
        """A ring of one key."""
        return cls((first_key(secret),))

    @property
    def active(self) -> Key:
        return self.keys[self.place]

    @property
    def first(self) -> Key:
        return self.keys[0]

    @property
    def waiting(self) -> tuple[Key, ...]:
        return self.keys[self.place + 1 :]

    def find(self, key: str) -> Key | None:
        """The key of this id, whether in force or not."""
        return next((one for one in self.keys if one.id == key), None)

    def get(self, key: str) -> Key:
        """The key of this id.

        Raises:
            KeyNotHere
        """
        found = self.find(key)
        if found is None:
            raise KeyNotHere(key=key, file=self.file)
        return found

    def at(self, key: str) -> Ring:
        """The same with this key in force.

        Raises:
            KeyNotHere
        """
        return replace(self, place=self.keys.index(self.get(key)))


class Rings(NamedTuple):
    """Both, as they are in force."""

    audit: Ring
    patient: Ring
    mark: str = ""
    """What Redis has under `Keys.rings`; empty: nobody ever rotated."""

    @classmethod
    def of(cls, secret: bytes) -> Rings:
        """Those of an installation with one secret."""
        return cls(Ring.of(secret), Ring.of(secret))

    def ring(self, name: RingName) -> Ring:
        return self.audit if name == "audit" else self.patient

    def turned(self, name: RingName, key: str) -> Rings:
        """The same with another key of a ring in force."""
        audit = self.audit.at(key) if name == "audit" else self.audit
        patient = self.patient.at(key) if name == "patient" else self.patient
        return Rings(audit, patient, mark_of(audit, patient))


def first_key(secret: bytes) -> Key:
    """The file `secret` as a key."""
    return Key(key_id(secret), secret)


def key_id(secret: bytes) -> str:
    """Distinguishes two keys and reveals neither; 8 hexadecimal digits."""
    return fingerprint(secret)[:_ID]


def mark_of(audit: Ring, patient: Ring) -> str:
    """What Redis is to say where these are in force."""
    return "" if audit.place == patient.place == 0 else f"{audit.active.id} {patient.active.id}"


def ring_file(secret: Path, name: RingName) -> Path:
    """Where the further keys of a ring are."""
    return secret.with_name(f"{secret.name}.{name}")


def load_ring(secret: Path, name: RingName) -> Ring:
    """The ring in the files; in force is the newest that this machine put there, else the first.

    Raises:
        SecretUnusable, RingUnusable
    """
    file = ring_file(secret, name)
    keys = (first_key(load_secret(secret)), *_read(file))
    since = [place for place, key in enumerate(keys) if key.since]
    return Ring(keys, max(since, default=0), str(file))


def load_rings(secret: Path, mark: str | None = None) -> Rings:
    """Both rings, with the keys in force that `mark` names; None: those that the files say.

    Raises:
        SecretUnusable, RingUnusable, KeyNotHere
    """
    audit, patient = (load_ring(secret, name) for name in RINGS)
    if mark is None:
        return Rings(audit, patient, mark_of(audit, patient))
    if not mark:
        return Rings(replace(audit, place=0), replace(patient, place=0))
    of_audit, _, of_patient = mark.partition(" ")
    return Rings(audit.at(of_audit), patient.at(of_patient), mark)


def ids(secret: Path, name: RingName) -> str:
    """The ids of a ring's keys, for a beat; never empty."""
    return " ".join(key.id for key in load_ring(secret, name).keys)


def add_key(secret: Path, name: RingName, now: datetime) -> Key:
    """Writes a new key to the end of a ring, in place of one that waited for too long; it is not in force yet.

    Raises:
        SecretUnusable, RingUnusable, FolderUnusable
    """
    file = ring_file(secret, name)
    made = secrets.token_hex(_BYTES).encode()
    key = Key(key_id(made), made, now.replace(second=0, microsecond=0))
    keys = list(_read(file))
    if keys and keys[-1].since is None and keys[-1].made and now - keys[-1].made > WAITS:
        keys.pop()
    _write(secret, name, [*keys, key])
    return key


def note_in_force(secret: Path, name: RingName, key: str, now: datetime) -> None:
    """Writes into the file that this key is in force from now on.

    Raises:
        RingUnusable
    """
    keys = _read(ring_file(secret, name))
    _write(secret, name, [replace(one, since=now) if one.id == key and not one.since else one for one in keys])


def _read(file: Path) -> tuple[Key, ...]:
    if not os.path.lexists(file):
        return ()
    content = private_content(file, lambda reason: RingUnusable(file=file, reason=reason), 2**20)
    keys = list[Key]()
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise RingUnusable(file=file, reason=f"line {number} is none of a key")
        name, made, since, secret = match.groups()
        if key_id(secret.encode()) != name:
            raise RingUnusable(file=file, reason=f"line {number}: the key has another id than {name}")
        if any(one.id == name for one in keys):
            raise RingUnusable(file=file, reason=f"line {number}: the key {name} is there twice")
        keys.append(Key(name, secret.encode(), _moment(made), None if since == "-" else _moment(since)))
    return tuple(keys)


def _write(secret: Path, name: RingName, keys: list[Key]) -> None:
    lines = [f"{key.id} {_text(key.made)} {_text(key.since)} {key.secret.decode()}\n" for key in keys]
    content = _HEADING.format(ring=name, secret=secret.name) + "".join(lines)
    file = ring_file(secret, name)
    if file.is_symlink():
        raise RingUnusable(file=file, reason="it is a link")
    write_private(file, content.encode())


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)


def _text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ") if moment else "-"


def event_digest(rings: Rings, digest: str) -> str:
    """What the event memory stores of a claim's digest: the digest itself until the first rotation, then `ID.HMAC`.

    Without a key, who reads Redis could try values that he does not know, such as a member id, against it.
    """
    return _event_digest(rings.audit.active, digest) if rings.mark else digest


def same_digest(rings: Rings, held: str, digest: str) -> bool:
    """Whether the event memory holds the digest of this claim, under whichever key of the ring.

    Raises:
        KeyNotHere
    """
    key, dot, _ = held.partition(".")
    return held == (_event_digest(rings.audit.get(key), digest) if dot else digest)


def _event_digest(key: Key, digest: str) -> str:
    return f"{key.id}.{keyed(derived(key.secret, b'event memory'), digest.encode()).hex()[:32]}"
