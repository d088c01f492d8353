"""Every way in which Redis, or the broker, cannot be used. The docstring of a type is its message, as in
`worker.errors`: what and where, what was expected, what to do. `worker.store.reachability` says which one it is.

{what} begins the sentence, as `Redis at queue.example:6379`; {setting} is where its address comes from.
"""

from __future__ import annotations

from worker.errors import RedisUnreachable, RedisUnusable


class HostUnknown(RedisUnreachable):
    """{what} cannot be found: the name of its host does not resolve. Mend the host in {setting}, or the name service
    (DNS) of this machine.
    """


class PortRefused(RedisUnreachable):
    """{what} refuses the connection: nothing listens there. Start the server, or mend the address in {setting}."""


class HostUnreachable(RedisUnreachable):
    """{what} cannot be reached over the network: there is no route, or nothing answers within {seconds} s. Mend the
    address in {setting}, or let the firewalls and network policies between here and there pass it.
    """


class NoAnswer(RedisUnreachable):
    """{what} takes the connection, and gives no answer within {seconds} s. Look whether its server hangs, is
    overloaded, or is something other than Redis; else mend the address in {setting}.
    """


class ConnectionLost(RedisUnreachable):
    """{what} closed the connection. Look at the log of its server: was it stopped or restarted, or is this client cut
    off? Where it was never reached before, mend the address in {setting}.
    """


class SocketMissing(RedisUnreachable):
    """{what} cannot be reached: there is no such socket. Start the server that makes it (`unixsocket` in its
    redis.conf), or mend the path in {setting}.
    """


class SocketIsNone(RedisUnreachable):
    """{what} cannot be reached: what is there is no socket. Expected that of the server (`unixsocket` in its
    redis.conf); mend the path in {setting}.
    """


class SocketForbidden(RedisUnreachable):
    """{what} cannot be reached: this user may not open that socket. Let it (`unixsocketperm` in redis.conf, the modes
    of the folders above), or mend the path in {setting}.
    """


class EmbeddedGone(RedisUnreachable):
    """{what} is gone: its process ended, or was killed. Its log is server.log beside the socket; the next command or
    worker starts it again, and so does a worker that is running.
    """


class TlsFileUnusable(RedisUnreachable):
    """{what} cannot be reached by TLS: the file {file} ({option} in {setting}) cannot be used: {reason}. Expected one
    in PEM that this user may read; mend it, or name another one.
    """


class CertificateUntrusted(RedisUnreachable):
    """{what} shows a certificate that no authority known here has signed. Name the file of its authority with
    ssl_ca_certs in {setting}, or look who answers there.
    """


class CertificateOfAnother(RedisUnreachable):
    """{what} shows a certificate that is for another host. Write in {setting} the host by which its certificate is
    issued, or have one issued for this one.
    """


class CertificateOutOfDate(RedisUnreachable):
    """{what} shows a certificate that has expired or is not valid yet. Renew it there; else set the clock of this
    machine right.
    """


class CertificateRefused(RedisUnreachable):
    """{what} shows a certificate that cannot be accepted ({reason}). Have a right one issued, or look who answers
    there.
    """


class CertificateWanted(RedisUnreachable):
    """{what} wants a certificate of this client, and got none that it trusts. Name one and its key with ssl_certfile
    and ssl_keyfile in {setting}.
    """


class TlsNotThere(RedisUnreachable):
    """{what} does not speak TLS. Write redis:// for rediss:// in {setting}, or the port that is for TLS (`tls-port` in
    redis.conf).
    """


class TlsWanted(RedisUnreachable):
    """{what} speaks TLS, and was spoken to without. Write rediss:// for redis:// in {setting}, or another port."""


class TlsFailed(RedisUnreachable):
    """{what} and this machine do not agree on TLS ({reason}). Look at `tls-protocols` and `tls-ciphers` in its
    redis.conf, and at the ssl_ options in {setting}.
    """


class NoRedis(RedisUnreachable):
    """{what} answers, and not as a Redis does: it is another service. Mend host and port in {setting}."""


class SentinelsSilent(RedisUnreachable):
    """{what} cannot be found: none of its sentinels answers. Start them, or mend their addresses in {setting}.
    {first}
    """


class GroupUnknown(RedisUnusable):
    """{what} cannot be found: its sentinels answer, and have no primary of that group that is up. Mend the name of the
    group in {setting} (`sentinel masters` lists them), or see to the primary.
    """


class SentinelsGuarded(RedisUnusable):
    """{what} cannot be found: its sentinels want a password of their own, and this version gives them none. Take
    `requirepass` out of sentinel.conf, and guard them by the network; the password in {setting} is that of Redis.
    """


class SentinelInstead(RedisUnusable):
    """{what} is a Sentinel, and holds no claims. Write redis+sentinel://host:port/group in {setting}, with the name of
    the group that it watches.
    """


class PasswordWrong(RedisUnusable):
    """{what} wants another user or password. Mend the user in {setting}, or the password {password_place}."""


class PasswordMissing(RedisUnusable):
    """{what} wants a password, and got none. Name the user in {setting}, and give the password {password_place}."""


class PasswordUnwanted(RedisUnusable):
    """{what} has no password for its default user, and got one. Name in {setting} the user whose password it is, or
    leave the password out.
    """


class Protected(RedisUnusable):
    """{what} is in protected mode: without a password it serves its own machine alone. Give it users with passwords
    (ops/security.md), and name one in {setting}.
    """


class ClientsExhausted(RedisUnusable):
    """{what} has as many clients as it takes (maxclients). Look with `client list` who they are; raise maxclients, or
    end some.
    """


class DatabaseMissing(RedisUnusable):
    """{what} has no database of the number in {setting}. Use database 0, or raise `databases` in its redis.conf."""


class ScriptBusy(RedisUnusable):
    """{what} is busy with a script of somebody else, and answers nobody. Wait until it is done; one that only reads
    ends with `redis-cli script kill`. Claims wait meanwhile.
    """


class ReplicaOnly(RedisUnusable):
    """{what} is a replica and takes no writes. Point {setting} at the primary, or at the Sentinels that know it; after
    a failover, see that the name leads to the new one.
    """


class StillLoading(RedisUnusable):
    """{what} is still loading its data after a start. Wait; nothing else is to be done, and claims wait meanwhile."""


class PrimaryLost(RedisUnusable):
    """{what} is a replica that has lost its primary, and answers nothing old. Bring the primary back, or point
    {setting} at the new one.
    """


class DiskRefused(RedisUnusable):
    """{what} cannot write to its disk, and takes no writes (MISCONF). Free the disk of its folder, or mend its owner
    and mode; its log says which. Claims wait meanwhile.
    """


class MemoryExhausted(RedisUnusable):
    """{what} has no memory left for a write (OOM). Let consumers of the outlets catch up, or raise maxmemory
    (ops/runbook.md, Redis full). Claims wait meanwhile.
    """


class ReplicasMissing(RedisUnusable):
    """{what} takes no writes with so few replicas (min-replicas-to-write). Bring its replicas back; claims wait
    meanwhile.
    """


class ClusterUnserved(RedisUnusable):
    """{what} is a node of a Redis Cluster and does not hold these keys ({reason}). Write redis+cluster://host:port in
    {setting}, with one node or several (ops/runbook.md, Cluster).
    """


class NoCluster(RedisUnusable):
    """{what} is no cluster: it is one Redis. Write redis:// in {setting}, or redis+sentinel:// for a group that has a
    primary.
    """


class NodeAway(RedisUnreachable):
    """{what}: its node {node} does not answer ({reason}). Claims of the partitions that other nodes hold go on, those
    of its own wait until it is back or its replica has taken over (`redis-cli --cluster check {node}`).
    """


class ClusterDown(RedisUnusable):
    """{what} serves a part of its slots at most ({reason}): a node is away and has no replica, or slots are being
    moved. See to that node; `cluster-require-full-coverage no` lets the others serve meanwhile.
    """


class CommandUnknown(RedisUnusable):
    """{what} does not know a command that is needed. Expected Redis 7.0 or Valkey 7.2 or later, without rename-command,
    and no proxy between that knows less.
    """


class KeyInTheWay(RedisUnusable):
    """{what} holds a key that is of another type than it is to be, so somebody else wrote it: one of the claims, which
    `scrub doctor` names, or one of Celery's, which begin with scrub:. Move it away. Claims wait meanwhile.
    """


class TransportUnknown(RedisUnusable):
    """{what} has a scheme that no transport is installed for. Expected one of kombu's in {setting}, as redis:// or
    amqp://, and its library installed.
    """


class RedisFailed(RedisUnusable):
    """{what} failed in a way that has no sentence of its own ({reason}). Look at the log of its server."""
