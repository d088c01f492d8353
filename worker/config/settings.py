"""All settings, from `SCRUB_*` environment variables. The fields of `Settings` are the table: name, default, unit."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from worker.config import cluster, redisurl, routing, sentinel
from worker.errors import SettingsInvalid

PREFIX = "SCRUB_"


def _state_dir() -> Path:
    """The user's state folder, by the XDG base directory rules (also on macOS, where the same tools run)."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "state") / "claim-scrubber"


def _redis_url(url: str) -> str:
    if cluster.named(url):
        found = cluster.problem(url)
    else:
        found = _sentinel_problem(url) if url.startswith(f"{sentinel.SCHEME}:") else redisurl.problem(url)
    if found:
        raise PydanticCustomError("url", "{sentence}", {"sentence": found})
    return url


def _broker_url(url: str) -> str:
    scheme, found, _ = url.partition("://")
    if cluster.named(url):
        sentence = "expected one Redis of its own, as redis://host:6379/0: no cluster can carry the notifications"
        raise PydanticCustomError("url", "{sentence}", {"sentence": sentence})
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


def _case_store(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql")) or "://" not in url:
        sentence = "expected sqlite:///FILE or postgresql+psycopg://host/name"
        raise PydanticCustomError("url", "{sentence}", {"sentence": sentence})
    return url


def _timezone(name: str) -> str:
    try:
        if name:
            ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise PydanticCustomError("zone", "expected a time zone, as America/New_York") from None
    return name


def _addresses(text: str) -> str:
    try:
        for one in filter(None, (part.strip() for part in text.split(","))):
            ip_network(one)
    except ValueError:
        raise PydanticCustomError("addresses", "expected addresses or networks, as 10.0.0.7,10.1.0.0/16") from None
    return text


def _https(url: str) -> str:
    try:
        parts = urlsplit(url)
        fit = parts.scheme == "https" and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        fit = False
    if not fit or parts.fragment or not (url.isascii() and url.isprintable() and " " not in url):
        raise PydanticCustomError("https", "expected a URL as https://host/path, without user and password")
    return url


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


Folder = Annotated[Path, AfterValidator(_absolute)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Trusted(NamedTuple):
    """Whose signatures count."""

    file: Path
    """Public keys in PEM."""
    needed: int = 1
    """How many of them must have signed."""


class Settings(BaseModel):
    """Where things are and how much of each. Times are in seconds unless the name says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    redis_url: Annotated[str, AfterValidator(_redis_url)] | None = None
    """Redis of the claims: redis://, rediss://, unix://, redis+sentinel:// (see worker.config.sentinel), or
    redis+cluster:// (see worker.config.cluster). None: the embedded server in the state folder."""
    redis_password_file: Folder | None = None
    """File with the password of Redis, so that none is in the URL; read at each new connection. None: the URL's, if
    it has one."""
    broker_url: Annotated[str, AfterValidator(_broker_url)] | None = None
    """Broker of the notifications, in kombu's spelling or as redis+sentinel://. None: the Redis of the claims,
    unless that is a cluster, which cannot carry them."""
    state_dir: Folder = Field(default_factory=_state_dir)
    """Embedded server and imported tables; secret and audit files, unless they are set apart."""
    secret_file: Folder | None = None
    """Key of the patient hashes and the audit chains; made at first use. None: `secret` in the state folder."""
    book: Folder | None = None
    """Folder of the rule book, or a packed one. None: the one that is shipped."""
    book_key: Folder | None = None
    """Public keys in PEM: a packed book must be signed by one of them. None: signatures are not looked at."""
    book_signatures: Annotated[int, Field(ge=1, le=16)] = 1
    """How many of these keys must have signed a book, and overrides that are put in force."""
    certificate_key: Folder | None = None
    """Public keys in PEM of who signs certificates, those of before as well. None: `scrub certificate verify` wants
    --key."""
    overrides: Folder | None = None
    """YAML file of what the hospital decided otherwise than the book says. None: nothing."""
    contracts: Folder | None = None
    """CSV table of what payers other than Medicare pay the hospital, for the expected payment. None: not known."""
    wage_index: Annotated[Decimal, Field(gt=0, le=5)] | None = None
    """Of the hospital or surgical center, for what Medicare pays it. None: its national rates are shown."""
    qualifying: bool = False
    """Whether the practitioners are qualifying participants of an advanced payment model, whom Medicare pays more."""
    mode: Annotated[str, AfterValidator(routing.checked(routing.modes))] = ""
    """observe: verdicts stand on record and every readable claim goes to billing; enforce, the default: they route. By
    payer or rule as in worker.config.routing; until overrides are put in force."""
    gaps: Annotated[str, AfterValidator(routing.checked(routing.gaps))] = ""
    """Where claims go of which a blocking rule could not ask its table: billing (the default), unchecked or rework; by
    payer in the same way."""
    send_unchecked: Annotated[str, AfterValidator(routing.checked(routing.sends))] = ""
    """Of sources that leave by file, whether claims that the book says nothing of are sent: keep (the default) or send;
    by payer in the same way."""
    send_undecided: Annotated[str, AfterValidator(routing.checked(routing.sends))] = ""
    """The same of claims on which there was no verdict at the cutoff. What is sent so counts as billed."""
    producer: Annotated[str, Field(pattern=r"^([a-z][a-z0-9-]{0,31})?$")] = ""
    """Of a sender: the name under which it is registered (`scrub producer add`). Empty: it shares the inbox with
    senders that trust one another."""
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
    """Per cent of Redis' maxmemory at which producers are refused, or wait, until it is 5 below; they are sooner where
    what waits would no longer fit once it is decided."""
    worker_ceiling: Annotated[int, Field(ge=1, le=100)] = 90
    """Per cent of Redis' maxmemory at which workers take no more claims, until it is 5 below."""
    outlet_limit: Annotated[int, Field(ge=1)] = 1_000_000
    """Unread or unacknowledged entries of an outlet at which workers take no more claims, until it is a tenth less."""
    retention: Annotated[float, Field(ge=0, le=3_650)] = 7
    """In days, and 0.5 is twelve hours: how long an outlet in Redis keeps an entry that every consumer group has
    acknowledged, while Redis is not above the workers' ceiling. Neither cases (SCRUB_CASE_RETENTION) nor audit files
    are meant."""
    audit_dir: Folder | None = None
    """Folder of the audit files. None: `audit` in the state folder."""
    audit_file_bytes: Annotated[int, Field(ge=2**16, le=2**40)] = 2**28
    """Size at which a process goes on in another audit file, in bytes; it does so each day (UTC) as well."""
    snapshot_dir: Folder | None = None
    """Folder of the snapshots (`scrub snapshot`), best on another disk. None: `snapshots` in the state folder."""
    snapshots: Annotated[int, Field(ge=1, le=1_000)] = 14
    """How many of them are kept."""
    case_store: Annotated[str, AfterValidator(_case_store)] | None = None
    """Database of the cases of held claims, as SQLAlchemy spells it: sqlite:///file, or postgresql+psycopg://host/name
    for several machines. None: SQLite in `desk` in the state folder."""
    case_retention: Annotated[int, Field(ge=30, le=36_500)] | None = None
    """Days for which a case that is done stays in the case store, with claim, notes and reasons, after the last that
    happened on it; then `scrub rework purge` takes it out. None: nothing is taken out unless --days says so."""
    case_store_password_file: Folder | None = None
    """File with the password of its user, read for each connection; SQLite has none."""
    timezone: Annotated[str, AfterValidator(_timezone)] = ""
    """Time zone of the hospital's people, as America/New_York: whose day it is, and the times on pages. Empty: this
    machine's."""
    serve_host: Annotated[str, Field(pattern=r"^[0-9A-Za-z.:-]{1,253}$")] = "127.0.0.1"
    """Address on which `scrub serve` listens."""
    serve_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """Its port; 0: a free one."""
    serve_processes: Annotated[int, Field(ge=1, le=256)] = 2
    """Processes that judge for it: half of them what is small, at least one each."""
    serve_max_body: Annotated[int, Field(ge=1_024, le=2**28)] = 2**24
    """Largest body of a request, in bytes."""
    tokens: Folder | None = None
    """File with the hashes of the tokens of `scrub serve`. None: `tokens` in the state folder."""
    serve_proxies: Annotated[str, AfterValidator(_addresses)] = ""
    """Addresses of proxies that say who a person is, by commas; nobody else's word counts. Empty: none, and people sign
    in with a code of `scrub serve`, on this machine alone."""
    serve_person_header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = "X-Forwarded-User"
    """Header in which those name the person."""
    serve_groups_header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = "X-Forwarded-Groups"
    """Header in which they say what he may, by commas: scrub-read, scrub-work, scrub-waive, scrub-admin; and
    scrub-facility-NAME for each facility that he sees, where that is not all. Without one he may nothing."""
    webhook: Annotated[str, AfterValidator(_https)] | None = None
    """https URL that `scrub serve` tells of each decision. None: nobody is told."""
    webhook_secret_file: Folder | None = None
    """File with the secret of the webhook's signatures: whsec_ and 24 to 64 bytes in base64."""
    webhook_claims: bool = False
    """Send claim and report along; else number, disposition and codes."""
    audit_stdout: bool = False
    """Write the audit lines to standard output as well, for log collectors: a copy, which may miss lines."""
    audit_fsync: bool = False
    """Force each batch of audit lines to the disk before its commit."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level of the operational log."""

    @cached_property
    def trusted(self) -> Trusted | None:
        """Whose signatures a book needs; None: nobody's."""
        return Trusted(self.book_key, self.book_signatures) if self.book_key else None

    @cached_property
    def secret_path(self) -> Path:
        return self.secret_file or self.state_dir / "secret"

    @cached_property
    def audit_path(self) -> Path:
        return self.audit_dir or self.state_dir / "audit"

    @cached_property
    def snapshot_path(self) -> Path:
        return self.snapshot_dir or self.state_dir / "snapshots"

    @cached_property
    def case_store_url(self) -> str:
        return self.case_store or f"sqlite:///{self.state_dir / 'desk' / 'cases.db'}"

    @cached_property
    def token_path(self) -> Path:
        return self.tokens or self.state_dir / "tokens"

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
    """The settings from the environment, where an empty variable counts as not set; `overrides` go before it.

    Raises:
        SettingsInvalid: with every problem, each a sentence that names the variable.
    """
    problems = _unknown(os.environ)
    try:
        settings = Settings(**_from(os.environ) | overrides)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        wrong = (f"{PREFIX}{str(d['loc'][0] if d['loc'] else '').upper()}: {_sentence(d)}" for d in details)
        raise SettingsInvalid([*problems, *wrong]) from None
    problems += _contradictions(settings)
    if problems:
        raise SettingsInvalid(problems)
    return settings


def _from(environ: Mapping[str, str]) -> dict[str, Any]:
    # Not by pydantic-settings: it reads what we forbid (files, nested and JSON values), and importing it costs every
    # command a sixth of its start.
    found = ((name, environ.get(f"{PREFIX}{name.upper()}")) for name in Settings.model_fields)
    return {name: value for name, value in found if value}


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
    for name in sorted(name for name in environ if name.upper().startswith(PREFIX) and name not in known):
        near = get_close_matches(name.upper(), known, n=1, cutoff=0.75)
        if near:
            problems.append(f"{name}: there is no such setting; did you mean {near[0]}?")
        else:
            logging.getLogger(__name__).warning("%s is not a setting of claim-scrubber and is passed over", name)
    return problems


def _contradictions(settings: Settings) -> list[str]:
    """Times that must lie in order: a batch must end by its limit, and be reclaimed only after the hardest one."""
    problems = []
    if settings.redis_password_file:
        named = sentinel.of(settings.redis_url) or cluster.of(settings.redis_url)
        if settings.redis_url is None:
            problems.append("SCRUB_REDIS_PASSWORD_FILE: expected SCRUB_REDIS_URL as well; the embedded server has none")
        elif named.password if named else redisurl.password(settings.redis_url):
            problems.append("SCRUB_REDIS_PASSWORD_FILE: SCRUB_REDIS_URL has a password already; leave one of them out")
    ordered = ("drain_budget", "soft_time_limit", "hard_time_limit", "reclaim")
    for less, more in pairwise(ordered):
        if getattr(settings, less) >= getattr(settings, more):
            problems.append(f"{PREFIX}{less.upper()}: expected less than {PREFIX}{more.upper()}")
    if settings.webhook and settings.webhook_secret_file is None:
        problems.append("SCRUB_WEBHOOK: expected SCRUB_WEBHOOK_SECRET_FILE as well: what is sent is signed")
    if settings.case_store_password_file and ":" in (settings.case_store or "").rpartition("@")[0].partition("://")[2]:
        problems.append(
            "SCRUB_CASE_STORE: it has a password, and SCRUB_CASE_STORE_PASSWORD_FILE too; leave one of them out"
        )
    if settings.book_signatures > 1 and settings.book_key is None:
        problems.append("SCRUB_BOOK_SIGNATURES: expected SCRUB_BOOK_KEY as well, with the keys that count")
    if settings.memory_ceiling > settings.worker_ceiling:
        problems.append("SCRUB_MEMORY_CEILING: expected at most SCRUB_WORKER_CEILING")
    if settings.visibility_timeout <= settings.hard_time_limit:
        problems.append("SCRUB_VISIBILITY_TIMEOUT: expected more than SCRUB_HARD_TIME_LIMIT")
    if sys.platform == "win32":
        problems.append("SCRUB_STATE_DIR: Windows is not served; use WSL or a container")
    return problems
