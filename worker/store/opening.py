"""Opens the Redis of the claims, and checks that it is fit and that its users agree."""

from __future__ import annotations

from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError
from redis.retry import Retry

from worker.config.settings import Settings, load_settings
from worker.store import reachability
from worker.store.agreement import agree_on_partitions
from worker.store.connections import Store, connect
from worker.store.embedded import Lease
from worker.store.fitness import check_server
from worker.store.keys import Keys
from worker.store.private import close_state
from worker.store.secret import read_password

_PATIENCE = (ExponentialBackoff(cap=1, base=0.05), 3)


def open_store(settings: Settings | None = None, *, hold: bool = True, check: bool = True) -> Store:
    """Opens Redis and checks that it is fit; the embedded server is started where none is configured.

    `hold`: whether the embedded server is to stay up for this store; a pool process needs not, as its parent holds it.
    `check`: for all but the doctor.

    Raises:
        SettingsInvalid, RedisUnusable (one of `worker.store.rediserrors`), RedisTooOld, RedisMayEvict, RedisForgets,
        PartitionMismatch, PartitionsMoving, PasswordUnusable, FolderUnusable, ServerMissing, ServerFailed: each a
        sentence with what to do.
    """
    settings = settings or load_settings()
    if check:
        close_state(settings.state_dir)
    lease = Lease(settings.server_path) if settings.embedded and hold else None
    # One that gives no answer at all is asked once: redis-py would try sixteen times what takes 5 seconds.
    redis = connect(settings, Retry(*_PATIENCE, supported_errors=(Disconnected,)))
    store = Store(settings, Keys(0, settings.partitions), redis, connect(settings, Retry(NoBackoff(), 0)), lease)
    if not check:
        return store
    try:
        if settings.redis_password_file:
            read_password(settings.redis_password_file)  # refused at once, whether Redis is there or not
        check_server(store.redis, reachability.claims(settings))
        agree_on_partitions(store)
    except (RedisError, OSError) as error:
        store.close()
        raise reachability.trouble(error, reachability.claims(settings)) from None
    except BaseException:
        store.close()
        raise
    redis.set_retry(Retry(*_PATIENCE))
    return store
