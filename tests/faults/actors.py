"""Processes of the model: real ones in all but that each stops before every command to Redis, until it is told to go on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from worker import bootstrap
from worker.filing.cutoff import Cutoff
from worker.intake.dropfolder import DropFolder
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import SOURCE
from worker.store import connections
from worker.store.connections import Store
from worker.store.registry import Producer, Registry

_here = threading.local()


class Killed(BaseException):
    """The process is no more."""


class Actor:
    """Goes on one command at a time, when it is asked to."""

    def __init__(self, store: Store) -> None:
        self._verdict = ""
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None
        self._go, self._stopped = threading.Event(), threading.Event()
        self._redis = redis = _stepping(store, self.command)
        self.store = Store(store.settings, store.keys, redis, redis)
        """With a client that stops."""
        self.commands = 0
        self.watched: Callable[[], None] = lambda: None
        """Told of whenever it stopped or ended."""

    def act(self) -> None:
        """What it does when it is woken, to its end."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets go of what the system takes from a process that ends."""
        self._redis.close()

    @property
    def busy(self) -> bool:
        return self._thread is not None

    def wake(self) -> None:
        """It begins, up to its first command."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._await()

    def go(self, verdict: str = "go") -> None:
        """go: one command; kill_before, kill_after: it dies there; lose: the command is done, its answer is lost."""
        self._verdict = verdict
        self._stopped.clear()
        self._go.set()
        self._await()

    def finish(self) -> None:
        while self.busy:
            self.go()

    def kill(self) -> None:
        if self.busy:
            self.go("kill_before")
        self.close()

    def command(self, command: Callable[[], Any], *, on_disk: bool = False) -> Any:
        """Stops before it, and does it when it is told to. `on_disk`: it has no answer that can be lost."""
        if threading.current_thread() is not self._thread:  # while it is made
            return command()
        self.commands += 1
        self._stopped.set()
        self._go.wait()
        self._go.clear()
        if self._verdict == "kill_before":
            raise Killed
        answer = command()
        if self._verdict == "kill_after":
            raise Killed
        if self._verdict == "lose" and not on_disk:
            raise RedisConnectionError("the answer is lost")
        return answer

    def _await(self) -> None:
        assert self._stopped.wait(30), "it neither stops nor ends"
        if self.failure:
            raise self.failure
        self.watched()

    def _run(self) -> None:
        _here.actor = self
        try:
            self.act()
        except (Killed, RedisConnectionError):
            pass
        except BaseException as error:  # noqa: BLE001 - raised where the thread is joined
            self.failure = error
        self._thread = None
        self._stopped.set()


class Worker(Actor):
    """A consumer of the inbox."""

    def __init__(self, store: Store, notifier_of: Callable[[Redis], Notifier]) -> None:
        super().__init__(store)
        self._consumer = bootstrap.inbox_consumer(self.store, notifier_of(self._redis))
        registries = [cast(Registry, one.inbox._streams) for one in self._consumer.partitions]
        self._registries = list({id(one): one for one in registries}.values())
        for one in self._registries:
            one.clock = lambda: 0.0  # time passes where `look` says so

    def act(self) -> None:
        self._consumer.run()

    def look(self) -> None:
        """A second has passed, after which it looks anew what there is to read."""
        for one in self._registries:
            one.forget()

    def close(self) -> None:
        self._consumer.audit.close()
        super().close()


class Filer(Actor):
    """Who writes files of the claims of a drop folder."""

    def __init__(
        self, store: Store, drop: Path, out: Path, cutoff: Cutoff, producer: Producer, notify: Callable[[], object]
    ) -> None:
        super().__init__(store)
        self.complained: list[str] = []
        self._filing = bootstrap.filing(
            self.store, DropFolder(drop, 0.0), out, cutoff, producer, SOURCE, notify, lambda _: None,
            self.complained.append,
        )  # fmt: skip
        self._filing.collector.ensure()

    def act(self) -> None:
        self._filing._resting.clear()  # what failed for a time is tried again
        self._filing.step()

    def close(self) -> None:
        self._filing.close()
        super().close()


@contextmanager
def stopping_on_disk(*names: str) -> Iterator[None]:
    """Actors stop before these functions of `os` as well."""

    def stopped(real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*given: Any, **named: Any) -> Any:
            actor: Actor | None = getattr(_here, "actor", None)
            return actor.command(lambda: real(*given, **named), on_disk=True) if actor else real(*given, **named)

        return act

    before = {name: getattr(os, name) for name in names}
    try:
        for name, real in before.items():
            setattr(os, name, stopped(real))
        yield
    finally:
        for name, real in before.items():
            setattr(os, name, real)


def _stepping(store: Store, through: Callable[[Callable[[], Any]], Any]) -> Redis:
    """A client whose every round trip goes through the function."""
    client: Redis = connections.connect(store.settings, Retry(NoBackoff(), 0))
    plain, pipeline = client.execute_command, client.pipeline

    def piped(*arguments: Any, **options: Any) -> Any:
        made = pipeline(*arguments, **options)
        execute = made.execute
        made.execute = lambda *given, **named: through(lambda: execute(*given, **named))
        return made

    client.execute_command = lambda *given, **named: through(lambda: plain(*given, **named))  # type: ignore[method-assign]
    client.pipeline = piped  # type: ignore[method-assign]
    return client
