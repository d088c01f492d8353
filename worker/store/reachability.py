"""Why Redis, or the broker, cannot be used: from an error of a client to the one sentence that a person can act on.

The tables below are all there is to it; what they are asked are types, codes and numbers. No text of an error is passed
on, since it may quote the command and so a claim, or the host's idea of a password.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
import stat
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from redis import Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError

from rules.errors import ScrubError
from worker.config import cluster, redisurl, sentinel
from worker.config.settings import Settings
from worker.errors import RedisForbids, RedisUnreachable, RedisUnusable
from worker.store import rediserrors
from worker.store.cluster import NodeLost
from worker.store.embedded import socket_path
from worker.store.tlsprobe import speaks_tls

CONNECT_SECONDS, ANSWER_SECONDS = 3, 5
"""How long a client waits for a connection, and for an answer."""

MISREAD = (AttributeError, LookupError, TypeError, ValueError)
"""What redis-py raises at an answer in the protocol of Redis that is not of the shape that the command has there."""

Kind = type[RedisUnusable]


@dataclass(frozen=True, slots=True)
class Address:
    """A server as messages name it."""

    server: str
    where: str
    """No password is in it."""
    setting: str
    """The variable that the address comes from."""
    url: str | None
    """None: the embedded server."""

    @property
    def what(self) -> str:
        """Begins a sentence."""
        return f"{self.server} at {self.where}"

    @property
    def password_place(self) -> str:
        """Where its password is."""
        return "there" if self.setting == "SCRUB_BROKER_URL" else "there or in SCRUB_REDIS_PASSWORD_FILE"

    @property
    def socket(self) -> Path | None:
        """Of a server that is reached by one."""
        if self.url is None or not self.url.startswith(("unix:", "redis+socket:")):
            return None
        return Path(unquote(urlsplit(self.url).path))


def where(settings: Settings) -> str:
    """The address of the Redis of the claims without its password."""
    return str(socket_path(settings.server_path)) if settings.redis_url is None else _shown(settings.redis_url)


def claims(settings: Settings) -> Address:
    """The Redis of the claims."""
    if settings.redis_url is None:
        return Address("The embedded Redis", where(settings), "SCRUB_STATE_DIR", None)
    return Address("Redis", where(settings), "SCRUB_REDIS_URL", settings.redis_url)


def broker(settings: Settings) -> Address:
    """The broker of the notifications."""
    if settings.broker_url is None:
        return claims(settings)
    return Address("The broker", _shown(settings.broker_url), "SCRUB_BROKER_URL", settings.broker_url)


def _shown(url: str) -> str:
    if url.startswith(f"{sentinel.SCHEME}:"):
        return str(sentinel.of(url))
    if cluster.named(url):
        return str(cluster.of(url))
    parts = urlsplit(url.partition(";")[0])
    if parts.scheme in ("unix", "redis+socket"):
        return unquote(parts.path)
    port = f":{parts.port}" if parts.port else ":6379" if parts.scheme in redisurl.SCHEMES else ""
    return f"{parts.hostname or 'localhost'}{port}"


_CODES: dict[str, Kind] = {
    "WRONGPASS": rediserrors.PasswordWrong,
    "NOAUTH": rediserrors.PasswordMissing,
    "DENIED": rediserrors.Protected,
    "BUSY": rediserrors.ScriptBusy,
    "UNKILLABLE": rediserrors.ScriptBusy,
    "READONLY": rediserrors.ReplicaOnly,
    "UNBLOCKED": rediserrors.ReplicaOnly,
    "LOADING": rediserrors.StillLoading,
    "MASTERDOWN": rediserrors.PrimaryLost,
    "MISCONF": rediserrors.DiskRefused,
    "OOM": rediserrors.MemoryExhausted,
    "NOREPLICAS": rediserrors.ReplicasMissing,
    "MOVED": rediserrors.ClusterUnserved,
    "ASK": rediserrors.ClusterUnserved,
    "CLUSTERDOWN": rediserrors.ClusterUnserved,
    "TRYAGAIN": rediserrors.ClusterUnserved,
    "CROSSSLOT": rediserrors.ClusterUnserved,
    "WRONGTYPE": rediserrors.KeyInTheWay,
}
"""By the word with which Redis begins its answer."""

_WORDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile("ACL failure in script|user executing the script can't"), RedisForbids),
    (re.compile("max number of clients", re.IGNORECASE), rediserrors.ClientsExhausted),
    (re.compile("DB index is out of range|invalid DB index", re.IGNORECASE), rediserrors.DatabaseMissing),
    (re.compile("SELECT is not allowed in cluster mode"), rediserrors.ClusterUnserved),
    (re.compile("cluster support disabled"), rediserrors.NoCluster),
    (re.compile("without any password configured|no password is set"), rediserrors.PasswordUnwanted),
    (re.compile("unknown (sub)?command", re.IGNORECASE), rediserrors.CommandUnknown),
    (re.compile("Redis is busy running|busy running a script"), rediserrors.ScriptBusy),
    (re.compile("^Invalid RESP version$"), rediserrors.NoRedis),
)
"""By words of an answer that begins with ERR, or comes out of a script; they changed between versions. The last are
redis-py's own."""

_KINDS: tuple[tuple[type[BaseException], Kind], ...] = (
    (exceptions.NoPermissionError, RedisForbids),
    (exceptions.AuthenticationError, rediserrors.PasswordWrong),
    (exceptions.ReadOnlyError, rediserrors.ReplicaOnly),
    (exceptions.BusyLoadingError, rediserrors.StillLoading),
    (exceptions.OutOfMemoryError, rediserrors.MemoryExhausted),
    (exceptions.ClusterDownError, rediserrors.ClusterUnserved),
    (exceptions.AskError, rediserrors.ClusterUnserved),
    (exceptions.InvalidResponse, rediserrors.NoRedis),
    (socket.gaierror, rediserrors.HostUnknown),
    (ssl.SSLEOFError, rediserrors.ConnectionLost),
    (ssl.SSLError, rediserrors.TlsFailed),
    (FileNotFoundError, rediserrors.SocketMissing),
    (NotADirectoryError, rediserrors.SocketMissing),
    (PermissionError, rediserrors.SocketForbidden),
    (ConnectionRefusedError, rediserrors.PortRefused),
    (ConnectionError, rediserrors.ConnectionLost),
    (exceptions.ResponseError, rediserrors.RedisFailed),
)
"""By the type of the error, or of what lies under it; the first that holds."""

_CERTIFICATES: dict[int, Kind] = {
    2: rediserrors.CertificateUntrusted, 18: rediserrors.CertificateUntrusted, 19: rediserrors.CertificateUntrusted,
    20: rediserrors.CertificateUntrusted, 21: rediserrors.CertificateUntrusted,
    9: rediserrors.CertificateOutOfDate, 10: rediserrors.CertificateOutOfDate,
    62: rediserrors.CertificateOfAnother, 64: rediserrors.CertificateOfAnother,
}  # fmt: skip
"""By OpenSSL's number (X509_V_ERR_...)."""

_TLS: tuple[tuple[str, Kind], ...] = (
    ("WRONG_VERSION_NUMBER", rediserrors.TlsNotThere),
    ("RECORD_LAYER_FAILURE", rediserrors.TlsNotThere),
    ("PACKET_LENGTH_TOO_LONG", rediserrors.TlsNotThere),
    ("HTTP_REQUEST", rediserrors.TlsNotThere),
    ("CERTIFICATE_REQUIRED", rediserrors.CertificateWanted),
    ("ALERT_UNKNOWN_CA", rediserrors.CertificateWanted),
    ("ALERT_BAD_CERTIFICATE", rediserrors.CertificateWanted),
    ("ALERT_CERTIFICATE_UNKNOWN", rediserrors.CertificateWanted),
)
"""By OpenSSL's name of the reason."""

_PERHAPS_A_FILE = (
    rediserrors.TlsFailed,
    rediserrors.SocketMissing,
    rediserrors.SocketForbidden,
    rediserrors.ConnectionLost,
)
"""What an unusable file of TLS looks like as well."""

_NETWORK = {
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.ENETDOWN,
    errno.ETIMEDOUT,
    errno.EADDRNOTAVAIL,
}


def trouble(error: BaseException, address: Address, *, look: bool = True) -> ScrubError:
    """The sentence for this error of a client of that server; an error of ours under it is passed on as it is.

    `look`: whether to try if a server that hangs up speaks TLS; not where others wait meanwhile.
    """
    chain = list(_under(error))
    for one in chain:
        if isinstance(one, ScrubError):
            return one
    found, reason = _kind(chain, address)
    found = _looked_at(found, address, look)
    if cluster.named(address.url):
        lost = next((one.node for one in chain if isinstance(one, NodeLost)), None)
        if lost and issubclass(found, RedisUnreachable):
            return rediserrors.NodeAway(what=address.what, node=lost, reason=reason)
        if found is rediserrors.ClusterUnserved:
            return rediserrors.ClusterDown(what=address.what, reason=reason)
    if found is RedisForbids:
        return RedisForbids(address.what, _server_said(chain))
    if (
        found in (rediserrors.PortRefused, rediserrors.SocketMissing, rediserrors.ConnectionLost)
        and address.url is None
    ):
        found = rediserrors.EmbeddedGone
    if found in _PERHAPS_A_FILE and (file := _bad_file(address)):
        return file
    if found is rediserrors.SentinelsSilent:
        return found(what=address.what, setting=address.setting, first=_first_sentinel(address))
    seconds = CONNECT_SECONDS if found is rediserrors.HostUnreachable else ANSWER_SECONDS
    return found(
        what=address.what,
        setting=address.setting,
        password_place=address.password_place,
        seconds=seconds,
        reason=reason,
    )


def _under(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was made of; redis-py and kombu wrap the one that says most."""
    found: BaseException | None = error
    for _ in range(12):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__


def _kind(chain: list[BaseException], address: Address) -> tuple[Kind, str]:
    """Which it is, and a word to go with it: a code, a name of OpenSSL's, or a type."""
    name = type(chain[0]).__name__
    for one in chain:
        if isinstance(one, MasterNotFoundError) and sentinel.of(address.url):
            return _sentinels(address), name
        if isinstance(one, exceptions.RedisError) and (found := _answer(one)):
            return found
        if isinstance(one, ssl.SSLCertVerificationError):
            return _CERTIFICATES.get(one.verify_code, rediserrors.CertificateRefused), str(one.verify_message)
        if isinstance(one, ssl.SSLError) and (found := _tls(one)):
            return found
        if isinstance(one, OSError) and _shaking_hands(one) and isinstance(one, (ssl.SSLEOFError, ConnectionError)):
            return rediserrors.TlsNotThere, name
    text = " ".join(str(one) for one in chain if isinstance(one, (OSError, exceptions.TimeoutError)))
    if any(isinstance(one, OSError) and one.errno in _NETWORK for one in chain):
        return rediserrors.HostUnreachable, name
    if any(isinstance(one, (TimeoutError, exceptions.TimeoutError)) for one in chain):
        if "handshake" in text:
            return rediserrors.TlsNotThere, name
        return (rediserrors.HostUnreachable if "connecting" in text else rediserrors.NoAnswer), name
    for kind, found_kind in _KINDS:
        if any(isinstance(one, kind) for one in chain):
            return found_kind, name
    if any(isinstance(one, exceptions.ConnectionError) for one in chain):
        return rediserrors.ConnectionLost, name
    return (rediserrors.NoRedis if isinstance(chain[0], MISREAD) else rediserrors.RedisFailed), name


def _server_said(chain: list[BaseException]) -> Exception:
    return next((one for one in chain if isinstance(one, exceptions.RedisError)), exceptions.RedisError())


def _answer(error: exceptions.RedisError) -> tuple[Kind, str] | None:
    """What Redis itself answered, by its code, else by its words."""
    text = str(error).rpartition("caused error: ")[2]  # a pipeline's error begins with the command
    code = getattr(error, "status_code", None) or text.partition(" ")[0]
    if found := _CODES.get(str(code)):
        return found, str(code)
    return next(((found, str(code)) for words, found in _WORDS if words.search(text)), None)


def _tls(error: ssl.SSLError) -> tuple[Kind, str] | None:
    reason = getattr(error, "reason", None) or ""  # one that Python itself raises has none
    return next(((found, reason) for name, found in _TLS if name in reason), None)


def _shaking_hands(error: OSError) -> bool:
    """Whether TLS had not begun yet; a server may still hang up when it has."""
    return any(frame.name == "do_handshake" for frame in traceback.extract_tb(error.__traceback__))


def _looked_at(found: Kind, address: Address, look: bool) -> Kind:
    """The same, where a look at the address says more than the error did."""
    path = address.socket
    if found is rediserrors.SocketForbidden and address.url and not path:
        return rediserrors.HostUnreachable  # what a local firewall says
    if found is rediserrors.PortRefused and path and path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        return rediserrors.SocketIsNone
    url = address.url or ""
    if look and found is rediserrors.ConnectionLost and url.startswith("rediss:"):
        return rediserrors.CertificateWanted if _wants_a_certificate(url) else found
    plain = found in (rediserrors.ConnectionLost, rediserrors.NoRedis) and url.startswith("redis:")
    return rediserrors.TlsWanted if look and plain and speaks_tls(url, CONNECT_SECONDS) else found


def _wants_a_certificate(url: str) -> bool:
    """Whether the server hangs up for want of one. In TLS 1.3 it says so only after the handshake, and what a client
    has sent by then may take that answer away (python/cpython#110197); here nothing is sent.
    """
    parts, files = urlsplit(url), redisurl.tls_files(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        if mine := files.get("ssl_certfile"):
            context.load_cert_chain(mine, files.get("ssl_keyfile"))
        with (
            socket.create_connection((parts.hostname or "localhost", parts.port or 6379), CONNECT_SECONDS) as plain,
            context.wrap_socket(plain) as secured,
        ):
            secured.recv(1)
    except ssl.SSLError as error:
        kind = _tls(error)
        return kind is not None and kind[0] is rediserrors.CertificateWanted
    except OSError:
        return False
    return False


def _bad_file(address: Address) -> ScrubError | None:
    """The first file of the address for TLS that cannot be used."""
    files = redisurl.tls_files(address.url or "")
    for option, file in files.items():
        if reason := _unreadable(file) or _unloadable(option, files):
            named = {"what": address.what, "setting": address.setting, "file": file, "option": option}
            return rediserrors.TlsFileUnusable(**named, reason=reason)
    return None


def _unreadable(file: str) -> str | None:
    try:
        with open(file, "rb"):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__


def _unloadable(option: str, files: Mapping[str, str]) -> str | None:
    context, key = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), files.get("ssl_keyfile")
    try:
        if option == "ssl_ca_certs":
            context.load_verify_locations(files[option])
        elif option == "ssl_certfile" and not (key and _unreadable(key)):
            context.load_cert_chain(files[option], key, password="")  # never asks at a terminal
    except ssl.SSLError as error:
        return "its key is another one's" if error.reason == "KEY_VALUES_MISMATCH" else "nothing usable in PEM is in it"
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _sentinels(address: Address) -> Kind:
    """Why none of them has named a primary, by asking each."""
    answers = [error for _, error in _asked(address)]
    if any(isinstance(error, exceptions.AuthenticationError) for error in answers):
        return rediserrors.SentinelsGuarded
    return rediserrors.GroupUnknown if any(error is None for error in answers) else rediserrors.SentinelsSilent


def _first_sentinel(address: Address) -> str:
    name, error = next(_asked(address))
    return str(trouble(error, Address("Sentinel", name, address.setting, f"redis://{name}"))) if error else ""


def _asked(address: Address) -> Iterator[tuple[str, BaseException | None]]:
    """Each sentinel, and how it failed."""
    watched = sentinel.of(address.url)
    for host, port in watched.nodes if watched else ():
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        retry, seconds = Retry(NoBackoff(), 0), CONNECT_SECONDS
        try:
            with Redis(host, port, retry=retry, socket_timeout=seconds, socket_connect_timeout=seconds) as client:
                client.execute_command("SENTINEL", "masters")
        except (exceptions.RedisError, OSError) as error:
            yield name, error
        else:
            yield name, None
