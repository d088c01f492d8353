"""Which acts on cases the audit log knows, by their ids: quick, and without looking whether lines are sound."""

from __future__ import annotations

from pathlib import Path

import orjson

from worker.audit.ends import ends, longest

_ACT, _PURGED = b'"case.act":"', b'"case.purged"'


def acts_logged(folder: Path) -> set[str]:
    """Ids of the acts of a folder's audit files, but for those of cases that were purged since.

    Raises:
        OSError
    """
    acts: dict[str, tuple[str, str]] = {}
    purged: dict[str, str] = {}
    for end in longest(ends(folder)).values():
        with end.file.open("rb") as lines:
            for raw in lines:
                if _ACT in raw or _PURGED in raw:
                    _note(raw, acts, purged)
    return {id for id, (handle, moment) in acts.items() if moment > purged.get(handle, "")}


def _note(raw: bytes, acts: dict[str, tuple[str, str]], purged: dict[str, str]) -> None:
    try:
        line = orjson.loads(raw)
        handle, moment = str(line["case.handle"]), str(line["@timestamp"])
    except (orjson.JSONDecodeError, KeyError, TypeError):  # cut off by a crash, or none of ours
        return
    if line.get("event.action") == "case.purged":
        purged[handle] = max(moment, purged.get(handle, ""))
    elif "case.act" in line:
        acts[str(line["case.act"])] = (handle, moment)
