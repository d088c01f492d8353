"""kombu's connection to the broker of the bells, with what Celery has no setting for: a login that is asked for anew at
each connection (celery#5433, celery#9454)."""

from __future__ import annotations

from typing import Any

import kombu
from celery.app.amqp import AMQP

LOGIN = "credential_provider"
"""Name among the transport options, which are all that Celery hands on; kombu wants it apart (kombu#2408)."""


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
