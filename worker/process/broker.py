"""kombu's connection to the broker of the notifications, with what Celery has no setting for: a login that is asked for
anew at each connection (celery#5433, celery#9454)."""

from __future__ import annotations

from typing import Any

import kombu
from celery.app.amqp import AMQP

from worker.config.settings import Settings
from worker.store import connections, reachability
from worker.store.rediserrors import TransportUnknown

LOGIN = "credential_provider"
"""Name among the transport options, which are all that Celery passes on; kombu expects it separately (kombu#2408)."""


class Connection(kombu.Connection):
    """kombu's, which takes its credential provider out of the transport options."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        options = named["transport_options"] = dict(named.get("transport_options") or {})
        if login := options.pop(LOGIN, None):
            named[LOGIN] = login
        super().__init__(*arguments, **named)


class Amqp(AMQP):
    """Celery's, which makes all connections of an app."""

    Connection = Connection
    BrokerConnection = Connection


def check(settings: Settings) -> None:
    """Whether a broker of its own can be used; that on the Redis of the claims needs no look of its own.

    Raises:
        RedisUnusable, BrokerMissing
    """
    url = connections.broker_url(settings)
    if settings.broker_url is None:
        return
    address = reachability.broker(settings)
    limits = {"socket_timeout": reachability.ANSWER_SECONDS, "socket_connect_timeout": reachability.CONNECT_SECONDS}
    try:
        connection = Connection(
            url, connect_timeout=reachability.CONNECT_SECONDS,
            transport_options={**limits, **connections.broker_options(settings)},
        )  # fmt: skip
        connection.transport  # noqa: B018 - it is looked for here
    except (ImportError, KeyError, ValueError):
        raise TransportUnknown(what=address.what, setting=address.setting) from None
    try:
        with connection:
            connection.connect()
    except connection.connection_errors + connection.channel_errors as error:
        raise reachability.trouble(error, address) from None
