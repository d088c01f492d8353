"""Why Redis cannot be used, in one sentence for each reason: what, where, what to do. On real servers and sockets.

redis#11569, openssl#27293, hiredis#1177 (TLS to a plain port hangs or says "wrong version number"), redis-py#668 and
redis-py#2563 (maxclients), redis-py#935 (READONLY after a failover), weave#6907 and redis-py#728 (queries and databases
of a URL), celery#7864 and celery#3132 (a password that breaks the URL), dify#4472 (a cluster).
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from redis import Redis
from redis.exceptions import AuthenticationError, BusyLoadingError

from tests import standby
from worker.cli.common.stores import opened
from worker.config.settings import Settings, load_settings
from worker.errors import RedisForbids, RedisUnusable
from worker.store import opening, reachability, rediserrors

from .helpers import Worker, event, settled, until
from .unusable import Plain, black_hole, busy, http, plain, says

pytestmark = pytest.mark.slow

CANARY = "canary-password-ZQXWV"


def refusal(url: str, home: Path, **settings: object) -> RedisUnusable:
    with pytest.raises(RedisUnusable) as caught:
        opening.open_store(load_settings(redis_url=url, state_dir=home, **settings)).close()
    sentence = str(caught.value)
    assert CANARY not in sentence
    assert "{" not in sentence.replace("{claims:0}", ""), sentence
    assert re.search(r"[.] [A-Z]", sentence), f"what is wrong, and then what to do: {sentence}"
    return caught.value


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    with plain(tmp_path_factory.mktemp("p")) as found:
        yield found


# The network


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://nowhere.invalid", rediserrors.HostUnknown),
        ("rediss://nowhere.invalid", rediserrors.HostUnknown),
        ("redis://127.0.0.1:1", rediserrors.PortRefused),
        ("redis://[::1]:1", rediserrors.PortRefused),
        ("rediss://127.0.0.1:1", rediserrors.PortRefused),
        ("unix:///nowhere/redis.sock", rediserrors.SocketMissing),
        ("unix:///etc/hostname/redis.sock", rediserrors.SocketMissing),
        ("unix:///etc/hostname", rediserrors.SocketIsNone),
        ("unix:///tmp", rediserrors.SocketIsNone),
    ],
)
def test_an_address_where_nothing_answers_is_reported_by_its_reason(
    url: str, kind: type[RedisUnusable], home: Path
) -> None:
    if "[::1]" in url and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    assert type(refusal(url, home)) is kind


def test_a_port_that_drops_what_is_sent_is_not_called_refused(home: Path) -> None:
    with black_hole() as url:
        assert type(refusal(url, home)) is rediserrors.HostUnreachable


def test_a_server_that_takes_the_connection_and_hangs_is_named_as_such(home: Path) -> None:
    with says(None) as url:
        assert type(refusal(url, home)) is rediserrors.NoAnswer


@pytest.mark.skipif(os.getuid() != 0, reason="only root can try as somebody else")
def test_a_socket_that_this_user_may_not_open_is_named_as_such(home: Path) -> None:
    with plain(home / "p", "--unixsocket", str(home / "r.sock"), "--unixsocketperm", "700"):
        home.chmod(0o755)
        code = (
            "import os, sys\nfrom worker.store import opening; from worker.store import reachability; from worker.config.settings import load_settings\n"
            "def kind(url):\n"
            "    try: opening.open_store(load_settings(redis_url=url, state_dir='/nowhere'))\n"
            "    except Exception as error: return type(error).__name__\n"
            "kind('unix:///nowhere')  # imports all that it wants while it may read it\n"
            "os.setegid(65534); os.seteuid(65534); print(kind(sys.argv[1]))"
        )
        command = [sys.executable, "-c", code, f"unix://{home}/r.sock"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "SocketForbidden\n"), done.stderr


def test_a_web_server_is_not_taken_for_redis(home: Path) -> None:
    with http() as url:
        assert type(refusal(url, home)) is rediserrors.NoRedis


@pytest.mark.parametrize("answer", [b"220 mail.example ESMTP\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01\x02\x03\r\n"])
def test_other_services_are_not_taken_for_redis_either(answer: bytes, home: Path) -> None:
    with says(answer) as url:
        assert type(refusal(url, home)) is rediserrors.NoRedis


@pytest.mark.parametrize(
    "answer",
    [
        b"+OK\r\n", b":1\r\n", b"*-1\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"$9\r\nfoo:bar\r\n\r\n", b"*0\r\n", b"*1\r\n$1\r\na\r\n",
        b"%1\r\n+a\r\n:1\r\n", b"_\r\n", b"#t\r\n", b",1.5\r\n",
    ],
)  # fmt: skip
def test_who_answers_in_the_protocol_of_redis_and_is_none_is_named_as_such(answer: bytes, home: Path) -> None:
    """A proxy, or a store that is like Redis: redis-py takes it that each answer has the shape of its command's."""
    with says(answer * 20) as url:
        assert type(refusal(url, home)) is rediserrors.NoRedis
        done = scrub(home, "doctor", SCRUB_REDIS_URL=url)
    assert done.returncode == 1, done.stderr
    assert "answers, and not as a Redis does" in done.stdout


def test_one_that_gives_no_answer_is_asked_once_by_a_command(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        url = f"redis://127.0.0.1:{listening.getsockname()[1]}"
        assert type(refusal(url, home)) is rediserrors.NoAnswer
        listening.setblocking(False)
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                listening.accept()[0].close()
                taken += 1
    assert taken == 1


def test_a_server_that_hangs_up_is_named_as_such(home: Path) -> None:
    with says(b"") as url:
        assert type(refusal(url, home)) is rediserrors.ConnectionLost


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("c")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("one", "two"):
        made = authority.issue_cert(f"{name}.example")
        made.private_key_pem.write_to_path(folder / f"{name}.key")
        (folder / f"{name}.pem").write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
    (folder / "empty.pem").write_text("")
    return folder


def secured(issued: trustme.LeafCert, *, client: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    if client:
        client.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def over_tls(url: str, files: Path, more: str = "") -> str:
    return url.replace("redis://127.0.0.1", "rediss://localhost") + f"?ssl_ca_certs={files}/ca.pem{more}"


def test_tls_to_a_port_without_it_is_named_as_such(server: Plain, home: Path) -> None:
    assert type(refusal(server.url.replace("redis:", "rediss:"), home)) is rediserrors.TlsNotThere


def test_tls_to_a_web_server_is_named_as_such(home: Path) -> None:
    with http() as url:
        assert type(refusal(url.replace("redis:", "rediss:"), home)) is rediserrors.TlsNotThere


def test_no_tls_to_a_port_that_wants_it_is_named_as_such(authority: trustme.CA, home: Path) -> None:
    with says(b"", secured(authority.issue_cert("localhost"))) as url:
        assert type(refusal(url, home)) is rediserrors.TlsWanted


def test_no_tls_to_a_port_that_wants_a_certificate_as_well_is_named_as_such(authority: trustme.CA, home: Path) -> None:
    with says(b"", secured(authority.issue_cert("localhost"), client=authority)) as url:
        assert type(refusal(url, home)) is rediserrors.TlsWanted


def test_a_certificate_of_an_unknown_authority_is_named_as_such(files: Path, home: Path) -> None:
    with says(b"", secured(trustme.CA().issue_cert("localhost"))) as url:
        assert type(refusal(over_tls(url, files), home)) is rediserrors.CertificateUntrusted
        assert type(refusal(url.replace("redis:", "rediss:"), home)) is rediserrors.CertificateUntrusted


@pytest.mark.parametrize("host", ["another.example", "10.1.2.3"])
def test_a_certificate_for_another_host_is_named_as_such(
    host: str, authority: trustme.CA, files: Path, home: Path
) -> None:
    with says(b"", secured(authority.issue_cert(host))) as url:
        assert type(refusal(over_tls(url, files), home)) is rediserrors.CertificateOfAnother
        by_number = over_tls(url, files).replace("localhost", "127.0.0.1")
        assert type(refusal(by_number, home)) is rediserrors.CertificateOfAnother


@pytest.mark.parametrize(("begins", "ends"), [(-20, -10), (10, 20)], ids=["expired", "not-yet"])
def test_a_certificate_out_of_its_time_is_named_as_such(
    begins: int, ends: int, authority: trustme.CA, files: Path, home: Path
) -> None:
    now = datetime.now(UTC)
    issued = authority.issue_cert(
        "localhost", not_before=now + timedelta(days=begins), not_after=now + timedelta(days=ends)
    )
    with says(b"", secured(issued)) as url:
        assert type(refusal(over_tls(url, files), home)) is rediserrors.CertificateOutOfDate


def test_a_server_that_wants_a_certificate_of_ours_is_named_as_such(
    authority: trustme.CA, files: Path, home: Path
) -> None:
    with says(b"", secured(authority.issue_cert("localhost"), client=authority)) as url:
        assert type(refusal(over_tls(url, files), home)) is rediserrors.CertificateWanted


def records(sent: bytes) -> int:
    """How many records of TLS that is; the length is in the last two of a record's first five bytes."""
    count = 0
    while sent:
        sent, count = sent[5 + int.from_bytes(sent[3:5], "big") :], count + 1
    return count


@contextmanager
def hangs_up(context: ssl.SSLContext, *, ends: int) -> Iterator[str]:
    """A server whose answer to a client without a right certificate is lost where that has sent something by then:
    more than the `ends` records with which its handshake ends.
    """

    def answer(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                if not (received := connection.recv(65536)):
                    return
                incoming.write(received)
            except ssl.SSLError:
                sent = incoming.read()
                if select.select([connection], [], [], 1)[0]:
                    sent += connection.recv(65536)
                if records(sent) <= ends:
                    connection.sendall(outgoing.read())
                return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_server_that_wants_a_certificate_is_named_as_such_where_its_answer_is_lost(
    authority: trustme.CA, files: Path, home: Path
) -> None:
    """In TLS 1.3 the alert comes after the handshake, and a reset may take it away (python/cpython#110197)."""
    with hangs_up(secured(authority.issue_cert("localhost"), client=authority), ends=1) as url:
        assert type(refusal(over_tls(url, files), home)) is rediserrors.CertificateWanted
    with hangs_up(secured(authority.issue_cert("localhost"), client=trustme.CA()), ends=2) as url:
        mine = f"&ssl_certfile={files}/one.pem&ssl_keyfile={files}/one.key"
        assert type(refusal(over_tls(url, files, mine), home)) is rediserrors.CertificateWanted


@pytest.mark.parametrize(
    ("query", "option", "reason"),
    [
        ("ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs", "No such file or directory"),
        ("ssl_ca_certs=/tmp", "ssl_ca_certs", "Is a directory"),
        ("ssl_ca_certs={files}/empty.pem", "ssl_ca_certs", "nothing usable in PEM is in it"),
        ("ssl_certfile=/nowhere/client.pem", "ssl_certfile", "No such file or directory"),
        ("ssl_certfile={files}/one.pem&ssl_keyfile=/nowhere/k", "ssl_keyfile", "No such file or directory"),
        ("ssl_certfile={files}/one.pem&ssl_keyfile={files}/two.key", "ssl_certfile", "its key is another one's"),
    ],
)
def test_a_file_of_tls_that_cannot_be_used_is_named_with_its_option(
    query: str, option: str, reason: str, authority: trustme.CA, files: Path, home: Path
) -> None:
    with says(b"", secured(authority.issue_cert("localhost"))) as url:
        found = refusal(url.replace("redis:", "rediss:") + "?" + query.format(files=files), home)
    assert type(found) is rediserrors.TlsFileUnusable
    assert f"({option} in SCRUB_REDIS_URL) cannot be used: {reason}" in str(found)


def test_no_common_cipher_is_named_as_such(authority: trustme.CA, files: Path, home: Path) -> None:
    context = secured(authority.issue_cert("localhost"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM")
    with says(b"", context) as url:
        assert type(refusal(over_tls(url, files, "&ssl_ciphers=AES256-SHA"), home)) is rediserrors.TlsFailed


def test_a_certificate_that_is_for_something_else_is_reported_with_openssls_reason(
    authority: trustme.CA, files: Path, home: Path
) -> None:
    signer = load_pem_private_key(authority.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, x509.Name([]), key.public_key(), 1, now, now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    made = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    pem = home / "server.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with says(b"", context) as url:
        found = refusal(over_tls(url, files), home)
    assert type(found) is rediserrors.CertificateRefused
    assert "purpose" in str(found)


# What the server answers

Act = Callable[[Plain], AbstractContextManager[object]]


@contextmanager
def configured(server: Plain, **options: object) -> Iterator[None]:
    admin = server.client()
    names = [name.replace("_", "-") for name in options]
    before = {name: admin.config_get(name)[name] for name in names}
    for name, value in zip(names, options.values(), strict=True):
        admin.config_set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            admin.config_set(name, value)


@contextmanager
def replica(server: Plain, **options: object) -> Iterator[None]:
    admin = server.client()
    admin.replicaof("127.0.0.1", 1)
    try:
        with configured(server, **options):
            yield
    finally:
        admin.replicaof("no", "one")


@contextmanager
def full_disk(server: Plain) -> Iterator[None]:
    """No copy can be written where nobody may write, and a failed one stops all writes."""
    admin = server.client()
    with configured(server, dir="/proc", save="3600 1000000"):
        admin.bgsave()
        until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err")
        yield
    admin.bgsave()
    until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "ok")


@contextmanager
def wrong_key(server: Plain) -> Iterator[None]:
    admin = server.client(db=9)
    admin.set("{claims:0}:meta", "x")
    try:
        yield
    finally:
        admin.flushdb()


@contextmanager
def crowded(server: Plain) -> Iterator[None]:
    with configured(server, maxclients=1):
        yield


@contextmanager
def users(server: Plain) -> Iterator[None]:
    admin = server.client()
    for user in (["low", "on", "nopass", "+info", "+ping", "~*"], ["half", "on", f">{CANARY}", "+@all", "~other:*"]):
        admin.execute_command("ACL", "SETUSER", *user)
    try:
        yield
    finally:
        admin.acl_deluser("low", "half")


@contextmanager
def guarded_default(server: Plain) -> Iterator[None]:
    admin = server.client()
    admin.config_set("requirepass", "right-one")
    try:
        yield
    finally:
        admin.config_set("requirepass", "")


ANSWERS: list[tuple[str, Act, str, type[RedisUnusable]]] = [
    ("busy", busy, "", rediserrors.ScriptBusy),
    ("replica", replica, "/8", rediserrors.ReplicaOnly),
    ("primary-lost", lambda s: replica(s, replica_serve_stale_data="no"), "/8", rediserrors.PrimaryLost),
    ("few-replicas", lambda s: configured(s, min_replicas_to_write=1), "/8", rediserrors.ReplicasMissing),
    ("disk", full_disk, "/8", rediserrors.DiskRefused),
    ("memory", lambda s: configured(s, maxmemory=1), "/8", rediserrors.MemoryExhausted),
    ("clients", crowded, "", rediserrors.ClientsExhausted),
    ("wrong-key", wrong_key, "/9", rediserrors.KeyInTheWay),
    ("database-99", configured, "/99", rediserrors.DatabaseMissing),
    ("database-in-query", configured, "?db=99", rediserrors.DatabaseMissing),
    ("no-password", guarded_default, "", rediserrors.PasswordMissing),
    ("wrong-password", guarded_default, f"default:{CANARY}@", rediserrors.PasswordWrong),
    ("no-such-user", users, f"nobody:{CANARY}@", rediserrors.PasswordWrong),
    ("unwanted", configured, f":{CANARY}@?protocol=2", rediserrors.PasswordUnwanted),
    ("command-forbidden", users, f"low:{CANARY}@", RedisForbids),
    ("key-forbidden", users, f"half:{CANARY}@", RedisForbids),
]


def at(server: Plain, part: str) -> str:
    login, _, rest = part.rpartition("@")
    return f"redis://{login + '@' if login else ''}127.0.0.1:{server.port}{rest}"


@pytest.mark.parametrize(("act", "part", "kind"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_what_the_server_refuses_is_reported_by_its_reason(
    act: Act, part: str, kind: type[RedisUnusable], server: Plain, home: Path
) -> None:
    with act(server):
        assert type(refusal(at(server, part), home)) is kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"-DENIED Redis is running in protected mode because protected mode is enabled", rediserrors.Protected),
        (b"-LOADING Redis is loading the dataset in memory", rediserrors.StillLoading),
        (b"-MASTERDOWN Link with MASTER is down", rediserrors.PrimaryLost),
        (b"-NOAUTH Authentication required.", rediserrors.PasswordMissing),
        (b"-MISCONF Errors writing to the AOF file: No space left on device", rediserrors.DiskRefused),
        (b"-MOVED 12965 10.0.0.3:6379", rediserrors.ClusterUnserved),
        (b"-ASK 12965 10.0.0.3:6379", rediserrors.ClusterUnserved),
        (b"-CLUSTERDOWN The cluster is down", rediserrors.ClusterUnserved),
        (b"-ERR unknown command 'HELLO', with args beginning with: ", rediserrors.CommandUnknown),
        (b"-ERR max number of clients reached", rediserrors.ClientsExhausted),
        (b"-ERR max number of clients + cluster connections reached", rediserrors.ClientsExhausted),
        (b"-READONLY You can't write against a read only replica.", rediserrors.ReplicaOnly),
        (b"-BUSY Redis is busy running a script.", rediserrors.ScriptBusy),
        (b"-ERR something else of " + CANARY.encode(), rediserrors.RedisFailed),
    ],
    ids=lambda value: value.decode().split(" ")[0] if isinstance(value, bytes) else value.__name__,
)
def test_an_answer_is_reported_in_the_words_of_every_server(
    answer: bytes, kind: type[RedisUnusable], home: Path
) -> None:
    with says((answer + b"\r\n") * 8) as url:
        assert type(refusal(url, home)) is kind


def test_a_server_that_still_loads_is_named_as_such(home: Path) -> None:
    with plain(home / "p") as before:
        with before.client().pipeline() as pipeline:
            for number in range(20_000):
                pipeline.set(f"key:{number}", "x" * 100)
            pipeline.execute()
        before.client().bgrewriteaof()
        until(lambda: not before.client().info("persistence")["aof_rewrite_in_progress"])
    slow = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")

    def loads(client: Redis) -> bool:
        try:
            client.ping()
        except BusyLoadingError:
            return True
        return False

    with plain(home / "p", *slow, ready=loads) as server:
        assert type(refusal(server.url, home)) is rediserrors.StillLoading


@pytest.mark.parametrize("slots", [False, True], ids=["without-slots", "with-others"])
def test_a_node_of_a_cluster_is_named_as_such(slots: bool, home: Path) -> None:
    with plain(home / "p", "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no") as node:
        if slots:
            with plain(home / "q", "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no") as other:
                other.client().execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
                node.client().execute_command("CLUSTER", "MEET", "127.0.0.1", other.port)
                until(lambda: "cluster_state:ok" in str(node.client().cluster("INFO")).replace("': '", ":"), 30)
                found = refusal(node.url, home)
                assert "(MOVED)" in str(found)
        else:
            found = refusal(node.url, home)
        assert type(found) is rediserrors.ClusterUnserved


def test_a_command_that_was_renamed_away_is_named_as_such(home: Path) -> None:
    with plain(home / "p", "--rename-command", "HGET", "") as server:
        assert type(refusal(server.url, home)) is rediserrors.CommandUnknown


# Sentinels


SENTINEL = "sentinel monitor claims 127.0.0.1 {port} 1"


@pytest.mark.parametrize(
    ("more", "group", "kind"),
    [
        ("", "other", rediserrors.GroupUnknown),
        ("requirepass right-one", "claims", rediserrors.SentinelsGuarded),
    ],
    ids=["another-group", "password"],
)
def test_sentinels_that_do_not_help_are_reported_by_their_reason(
    more: str, group: str, kind: type[RedisUnusable], server: Plain, home: Path
) -> None:
    def answers(client: Redis) -> bool:
        try:
            return bool(client.ping())
        except AuthenticationError:
            return True

    configuration = f"{SENTINEL.format(port=server.port)}\n{more}"
    with plain(home / "p", sentinel=configuration, ready=answers) as watcher:
        assert type(refusal(f"redis+sentinel://127.0.0.1:{watcher.port}/{group}", home)) is kind


def test_sentinels_of_which_none_answers_are_reported_with_the_first_ones_reason(home: Path) -> None:
    found = refusal("redis+sentinel://127.0.0.1:1,nowhere.invalid:2/claims", home)
    assert type(found) is rediserrors.SentinelsSilent
    assert "Sentinel at 127.0.0.1:1 refuses the connection" in str(found)


def test_a_sentinel_is_not_taken_for_redis(server: Plain, home: Path) -> None:
    with plain(home / "p", sentinel=SENTINEL.format(port=server.port)) as watcher:
        assert type(refusal(watcher.url, home)) is rediserrors.SentinelInstead


# The embedded one


def kill_it_under_a_command(settings: Settings) -> None:
    with opened(settings) as store:
        os.kill(store.redis.info()["process_id"], signal.SIGKILL)
        until(lambda: not store.redis.ping())


def test_an_embedded_server_that_was_killed_is_not_blamed_on_an_address(settings: Settings) -> None:
    with pytest.raises(rediserrors.EmbeddedGone) as caught:
        kill_it_under_a_command(settings)
    assert str(caught.value).startswith(f"The embedded Redis at {reachability.where(settings)} is gone")
    assert "SCRUB_REDIS_URL" not in str(caught.value)
    with opened(settings) as store:
        assert store.redis.ping(), "the next command starts it again"


def test_every_way_has_a_test_here() -> None:
    kinds = [
        name
        for name, kind in vars(rediserrors).items()
        if isinstance(kind, type) and kind.__module__ == rediserrors.__name__
    ]
    assert len(kinds) > 30
    beside = (Path(__file__).parents[1] / name for name in ("cli/test_worker_check.py", "worker/test_clusterurl.py"))
    tried = Path(__file__).read_text() + "".join(file.read_text() for file in beside)
    assert [name for name in kinds if f"{name}" not in tried] == []


# Where it is reported


COMMANDS = [
    (["status"], 2),
    (["status", "--healthcheck"], 1),
    (["doctor"], 1),
    (["tail", "billing"], 2),
    (["quarantine", "list"], 2),
    (["submit", "-"], 2),
    (["worker", "--check"], 2),
    (["worker", "-c", "1"], 1),
    (["partitions"], 2),
    (["rules", "rollback", "--reason", "a test"], 2),
]


def scrub(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    mine = {**clean, "SCRUB_STATE_DIR": str(home / "state"), **environment}
    return standby.scrub_in_text(*arguments, input=event().decode(), env=mine)


@pytest.mark.parametrize(("command", "code"), COMMANDS, ids=[" ".join(command[:2]) for command, _ in COMMANDS])
def test_every_command_says_it_in_one_sentence_with_its_exit_code_and_no_password(
    command: list[str], code: int, server: Plain, home: Path
) -> None:
    with busy(server):
        done = scrub(home, *command, SCRUB_REDIS_URL=at(server, f":{CANARY}@"))
    said = " ".join((done.stdout + done.stderr).split())
    assert "is busy with a script of somebody else, and answers nobody" in said
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert CANARY not in said
    refused = scrub(home, *command, SCRUB_REDIS_URL=f"redis://:{CANARY}@127.0.0.1:1")
    said = " ".join((refused.stdout + refused.stderr).split())
    assert "refuses the connection: nothing listens there" in said
    assert refused.returncode == code, said
    assert "Traceback" not in said
    assert CANARY not in said


def test_a_worker_does_not_begin_on_a_replica_though_it_can_be_read(server: Plain, home: Path) -> None:
    assert scrub(home, "worker", "--check", SCRUB_REDIS_URL=server.url).returncode == 0
    with replica(server):
        assert scrub(home, "status", SCRUB_REDIS_URL=server.url).returncode == 0
        done = scrub(home, "worker", "--check", SCRUB_REDIS_URL=server.url)
        assert (done.returncode, "is a replica and takes no writes" in done.stderr) == (2, True)
        worker = Worker(home, env={"SCRUB_REDIS_URL": server.url})
        try:
            assert worker.process.wait(60) == 1
            assert "is a replica and takes no writes" in worker.text()
        finally:
            worker.kill()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis://127.0.0.1:1", "The broker at 127.0.0.1:1 refuses the connection"),
        (f"redis://:{CANARY}@nowhere.invalid", "The broker at nowhere.invalid:6379 cannot be found"),
        ("amqp://guest@127.0.0.1:1//", "The broker at 127.0.0.1:1 refuses the connection"),
        ("nonsense://127.0.0.1:1", "has a scheme that no transport is installed for"),  # TransportUnknown
        ("unix:///nowhere/r.sock", "The broker at /nowhere/r.sock cannot be reached: there is no such socket"),
    ],
)
def test_a_broker_of_its_own_is_looked_at_by_the_check_of_a_worker(
    url: str, sentence: str, server: Plain, home: Path
) -> None:
    done = scrub(home, "worker", "--check", SCRUB_REDIS_URL=server.url, SCRUB_BROKER_URL=url)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stderr


@pytest.mark.parametrize(
    ("url", "shown"),
    [("redis://:{word}@127.0.0.1:{port}", "redis://:**@127.0.0.1:{port}/0"),
     ("amqp://u:{word}@127.0.0.1:{port}//", "amqp://u:**@127.0.0.1:{port}//")],
    ids=["redis", "amqp"],
)  # fmt: skip
def test_a_worker_that_cannot_reach_its_broker_says_why_and_tries_on(url: str, shown: str, home: Path) -> None:
    with plain(home / "q") as server:  # one of its own: workers of other tests have agreed on other secrets elsewhere
        with plain(home / "p") as taken:
            port = taken.port
        broker = url.format(word=CANARY, port=port)
        worker = Worker(home, env={"SCRUB_REDIS_URL": server.url, "SCRUB_BROKER_URL": broker})
        try:
            why = f"Cannot connect to {shown.format(port=port)}: The broker at 127.0.0.1:{port} refuses the connection"
            until(lambda: worker.text().count(why) > 1, 60, worker.text)
            assert worker.process.poll() is None
            assert CANARY not in worker.text()
        finally:
            worker.kill()


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (replica, "is a replica and takes no writes. Point SCRUB_REDIS_URL at the primary"),
        (busy, "is busy with a script of somebody else"),
        (full_disk, "cannot write to its disk, and takes no writes (MISCONF)"),
        (lambda s: configured(s, min_replicas_to_write=1), "takes no writes with so few replicas"),
    ],
    ids=["replica", "busy", "disk", "few-replicas"],
)
def test_what_befalls_redis_under_a_worker_is_reported_in_its_log_and_the_worker_goes_on(
    act: Act, sentence: str, home: Path
) -> None:
    with plain(home / "p") as server, ExitStack() as stack:
        worker = Worker(home, env={"SCRUB_REDIS_URL": server.url}).wait_ready(60)
        stack.callback(worker.kill)
        admin = server.client()
        with act(server):
            until(lambda: sentence in worker.text(), 60, worker.text)
        for number in range(5):
            admin.xadd("{claims:0}:inbox", {"event": event(number)})
        with opening.open_store(load_settings(redis_url=server.url, state_dir=home)) as store:
            settled(store, 5, 90)
        assert worker.text().count("Connection to broker lost") < 20, "it is not logged at each of its tries"
        assert "Traceback" not in worker.text()
        assert not re.search(r"PCN-\d", worker.text())
        assert worker.stop(60) == 0
