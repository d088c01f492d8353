"""Who asks, and what he may. A program shows a token (`worker.serve.gate`); a person signs in (`worker.serve.pages`).

Both come to a `Caller`. Routes for programs depend on `caller`, which takes tokens alone; pages have a dependency of
their own, which takes sessions alone and makes the same of them. Both set `request.state.caller`, so that a refusal
further in (`NotAllowed`, `CaseElsewhere`) is in the audit log with who it was. `may` and `sees` are asked by both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from worker.desk.cases import Case
from worker.errors import NotAllowed
from worker.serve.scopes import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks."""

    account: str
    """Under which his acts are in the audit log: a person's name, or `token:NAME`."""
    scopes: frozenset[Scope]
    facilities: frozenset[str] | None = None
    """Whose cases he sees; empty text: the installation's one. None: all."""
    person: bool = False
    """He signed in; else it is a program with a token."""
    producer: str = ""
    """Of a token: the registered producer as which it submits claims; empty: the shared inbox."""
    source: str = ""
    """Of a token: CloudEvents source of what it submits."""

    def may(self, scope: Scope) -> None:
        """Passes, or refuses.

        Raises:
            NotAllowed
        """
        if scope not in self.scopes:
            raise NotAllowed(scope=scope)

    def sees(self, case: Case) -> bool:
        """Whether a case is of his facilities; of another it is to be said that there is none."""
        return self.facilities is None or case.scope in self.facilities


async def caller(request: Request) -> Caller:
    """The program that asks, by its token.

    Raises:
        NotSignedIn: there is none, or it counts no longer. TooManyFailures
    """
    gate = request.app.state.serving.gate
    found = gate.known(request)
    if found is None:  # an audit line is to be written, which may wait for the disk
        found = await run_in_threadpool(gate.turn_away, request)
    assert isinstance(found, Caller)
    request.state.caller = found
    return found


Asking = Annotated[Caller, Depends(caller)]
"""A parameter of a route for programs."""
