"""The hospital's own table of contracts, from its file."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from rules.claim import LineOfBusiness
from rules.errors import RuleProblem
from rules.payers import Registry
from rules.payment.claims import Ours
from rules.payment.contracts import NO_CONTRACTS, Contracts, read_contracts
from worker.config.settings import Settings
from worker.errors import ContractsInvalid

_LARGEST = 2**26


def contracts_in(file: Path | None, registry: Registry) -> Contracts:
    """The table in the file; none where no file is named.

    Raises:
        ContractsInvalid: with every fault.
    """
    if file is None:
        return NO_CONTRACTS
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise _refused(file, f"has more than {_LARGEST} bytes: this is another kind of file")
        text = content.decode("utf-8")
    except OSError as error:
        raise _refused(file, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise _refused(file, f"is not UTF-8 at byte {error.start}; save it as CSV UTF-8") from None
    names = [name for name in registry.names if name not in registry.groups]
    found, problems = read_contracts(str(file), text, names, get_args(LineOfBusiness))
    if problems:
        raise ContractsInvalid(problems)
    return found


def ours_of(settings: Settings, registry: Registry) -> Ours:
    """What the hospital says of itself in its settings.

    Raises:
        ContractsInvalid
    """
    return Ours(contracts_in(settings.contracts, registry), settings.qualifying, settings.wage_index)


def _refused(file: Path, sentence: str) -> ContractsInvalid:
    return ContractsInvalid([RuleProblem(str(file), 1, 1, "", sentence)])
