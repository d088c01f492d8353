"""All settings, from `SCRUB_*` environment variables. The fields of `Settings` are the table: name, default, unit."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from worker.config import redisurl, routing, sentinel
from worker.errors import SettingsInvalid

PREFIX = "SCRUB_"


def _state_dir() -> Path:
    """The user's state folder, by the XDG base directory rules (also on macOS, where the same tools run)."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "state") / "claim-scrubber"


def _redis_url(url: str) -> str:
    found = _sentinel_problem(url) if url.startswith(f"{sentinel.SCHEME}:") else redisurl.problem(url)
    if found:
        raise PydanticCustomError("url", "{sentence}", {"sentence": found})
    return url


def _broker_url(url: str) -> str:
    scheme, found, _ = url.partition("://")
    if scheme in redisurl.SCHEMES or scheme == sentinel.SCHEME:
        return _redis_url(url)
    try:
        parts = urlsplit(url.partition(";")[0])
        fit = bool(found) and scheme.replace("+", "").isalnum() and parts.port != 0 and redisurl.named(parts.hostname)
    except ValueError:
        fit = False
    if not fit:
        sentence = "expected the URL of a broker, as redis://host:6379/0 or amqp://user@host:5672//"
        raise PydanticCustomError("url", "{sentence}", {"sentence": sentence})
    return url


def _sentinel_problem(url: str) -> str | None:
    try:
        sentinel.Sentinels.parse(url)
    except ValueError:
        return redisurl.SHAPE
    return None


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


Folder = Annotated[Path, AfterValidator(_absolute)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """Where things are and how much of each. Times are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, env_ignore_empty=True
    )

    redis_url: Annotated[str, AfterValidator(_redis_url)] | None = None
    """Redis of the claims: redis://, rediss://, unix://, or redis+sentinel:// (see worker.config.sentinel). None: the
    embedded server in the state folder."""
    redis_password_file: Folder | None = None
    """File with the password of Redis, so that none is in the URL; read at each new connection. None: the URL's, if
    it has one."""
    broker_url: Annotated[str, AfterValidator(_broker_url)] | None = None
    """Broker of the notifications, in kombu's spelling or as redis+sentinel://. None: the Redis of the claims."""
    state_dir: Folder = Field(default_factory=_state_dir)
    """Embedded server and imported tables; secret and audit files, unless they are set apart."""
    secret_file: Folder | None = None
    """Key of the patient hashes and the audit chains; made at first use. None: `secret` in the state folder."""
    book: Folder | None = None
    """Folder of the rule book, or a packed one. None: the one that is shipped."""
    book_key: Folder | None = None
    """Public keys in PEM: a packed book must be signed by one of them. None: signatures are not looked at."""
    overrides: Folder | None = None
    """YAML file of what the hospital decided otherwise than the book says. None: nothing."""
    mode: Annotated[str, AfterValidator(routing.checked(routing.modes))] = ""
    """observe: verdicts stand on record and every readable claim goes to billing; enforce, the default: they route. By
    payer or rule as in worker.config.routing; until overrides are put in force."""
    gaps: Annotated[str, AfterValidator(routing.checked(routing.gaps))] = ""
    """Where claims go of which a blocking rule could not ask its table: billing (the default), unchecked or rework; by
    payer in the same way."""
    partitions: Annotated[int, Field(ge=1, le=256)] = 1
    """How many sets of keys the claims are spread over; fixed once claims are there."""
    batch: Annotated[int, Field(ge=1, le=5_000)] = 200
    """Claims read and committed at once."""
    drain_budget: Seconds = 5
    """How long one task consumes before it gives way."""
    soft_time_limit: Seconds = 20
    """After this a task is asked to stop."""
    hard_time_limit: Seconds = 30
    """After this a task's process is killed."""
    reclaim: Seconds = 60
    """After this an entry that nobody committed is taken over."""
    tend: Seconds = 1
    """Period of the maintenance, which also finds work that no notification announced."""
    gate: Seconds = 2
    """How long one notification suppresses the next."""
    visibility_timeout: Seconds = 60
    """After this Celery delivers an unacknowledged notification again."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """How often a claim that lost its worker is tried alone before it goes to quarantine."""
    event_memory: Annotated[int, Field(ge=1, le=3_650)] = 35
    """Days for which the identity of an event is remembered."""
    history_months: Annotated[int, Field(ge=1, le=240)] = 36
    """Months for which the ledger keeps what went to billing."""
    max_event_bytes: Annotated[int, Field(ge=1_024, le=64 * 2**20)] = 2**20
    """Largest event that is read, in bytes."""
    memory_ceiling: Annotated[int, Field(ge=1, le=100)] = 80
    """Per cent of Redis' maxmemory at which producers are refused, or wait, until it is 5 below."""
    worker_ceiling: Annotated[int, Field(ge=1, le=100)] = 90
    """Per cent of Redis' maxmemory at which workers take no more claims, until it is 5 below."""
    outlet_limit: Annotated[int, Field(ge=1)] = 1_000_000
    """Unread or unacknowledged entries of an outlet at which workers take no more claims, until it is a tenth less."""
    retention: Annotated[float, Field(ge=0, le=3_650)] = 7
    """Days for which an outlet keeps an entry that every consumer group has acknowledged."""
    audit_dir: Folder | None = None
    """Folder of the audit files. None: `audit` in the state folder."""
    audit_stdout: bool = False
    """Write the audit lines to standard output as well, for log collectors: a copy, which may miss lines."""
    audit_fsync: bool = False
    """Force each batch of audit lines to the disk before its commit."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level of the operational log."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    @cached_property
    def secret_path(self) -> Path:
        return self.secret_file or self.state_dir / "secret"

    @cached_property
    def audit_path(self) -> Path:
        return self.audit_dir or self.state_dir / "audit"

    @cached_property
    def drafts_path(self) -> Path:
        """What an upgrade brought as drafts: see worker.books.drafts."""
        return self.state_dir / "drafts.yaml"

    @cached_property
    def tables_path(self) -> Path:
        """Folder of the imported editions of official tables."""
        return self.state_dir / "tables"

    @cached_property
    def books_path(self) -> Path:
        """Folder of the packed books that workers judged by."""
        return self.state_dir / "books"

    @cached_property
    def server_path(self) -> Path:
        """Folder of the embedded server."""
        return self.state_dir / "redis"

    @property
    def embedded(self) -> bool:
        return self.redis_url is None


def load_settings(**overrides: Any) -> Settings:
    """The settings from the environment; `overrides` go before it.

    Raises:
        SettingsInvalid: with every problem, each a sentence that names the variable.
    """
    problems = _unknown(os.environ)
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        wrong = (f"{PREFIX}{str(d['loc'][0] if d['loc'] else '').upper()}: {_sentence(d)}" for d in details)
        raise SettingsInvalid([*problems, *wrong]) from None
    problems += _contradictions(settings)
    if problems:
        raise SettingsInvalid(problems)
    return settings


_SENTENCES = {
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "finite_number": "expected a number",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "path_type": "expected the path of a folder or a file",
    "greater_than": "expected more than {gt:g}",
    "greater_than_equal": "expected at least {ge:g}",
    "less_than": "expected less than {lt:g}",
    "less_than_equal": "expected at most {le:g}",
    "literal_error": "expected one of {expected}",
}
"""Ours for the library's, by its type of error; what is not here is ours already."""


def _sentence(detail: Mapping[str, Any]) -> str:
    known = _SENTENCES.get(detail["type"])
    return known.format(**detail.get("ctx", {})) if known else str(detail["msg"])


def _unknown(environ: Mapping[str, str]) -> list[str]:
    """A misspelled variable would leave a default in force that nobody chose; one like none of ours is not ours."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    problems = []
    for name in sorted(name for name in environ if name.startswith(PREFIX) and name not in known):
        near = get_close_matches(name, known, n=1, cutoff=0.75)
        if near:
            problems.append(f"{name}: there is no such setting; did you mean {near[0]}?")
        else:
            logging.getLogger(__name__).warning("%s is not a setting of claim-scrubber and is passed over", name)
    return problems


def _contradictions(settings: Settings) -> list[str]:
    """Times that must lie in order: a batch must end by its limit, and be reclaimed only after the hardest one."""
    problems = []
    if settings.redis_password_file:
        watched = sentinel.of(settings.redis_url)
        if settings.redis_url is None:
            problems.append("SCRUB_REDIS_PASSWORD_FILE: expected SCRUB_REDIS_URL as well; the embedded server has none")
        elif watched.password if watched else redisurl.password(settings.redis_url):
            problems.append("SCRUB_REDIS_PASSWORD_FILE: SCRUB_REDIS_URL has a password already; leave one of them out")
    ordered = ("drain_budget", "soft_time_limit", "hard_time_limit", "reclaim")
    for less, more in pairwise(ordered):
        if getattr(settings, less) >= getattr(settings, more):
            problems.append(f"{PREFIX}{less.upper()}: expected less than {PREFIX}{more.upper()}")
    if settings.memory_ceiling > settings.worker_ceiling:
        problems.append("SCRUB_MEMORY_CEILING: expected at most SCRUB_WORKER_CEILING")
    if settings.visibility_timeout <= settings.hard_time_limit:
        problems.append("SCRUB_VISIBILITY_TIMEOUT: expected more than SCRUB_HARD_TIME_LIMIT")
    if sys.platform == "win32":
        problems.append("SCRUB_STATE_DIR: Windows is not served; use WSL or a container")
    return problems
