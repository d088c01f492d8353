"""`docs/layout.md`: the keys in Redis, who may do what with them, and the outlets.

`python -m ops.layoutpage` writes it, of `worker.store.layout`, `worker.store.outletspecs` and `ops.access`. Doctor, the
scripts' outlets, users, schemas and boards are made of the same: the page cannot say something else than they do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ops import access
from worker.store.keys import Keys
from worker.store.layout import FAMILIES, NEWEST, OLDEST, Family
from worker.store.outletspecs import SPECS
from worker.store.rights import producer_rights, user_of

FILE = Path(__file__).parents[1] / "docs" / "layout.md"

_HEAD = f"""\
# Keys in Redis

Made by `make access` from `worker/store/layout.py`, `worker/store/outletspecs.py` and `ops/access.py`.

All keys of a partition begin with its hash tag, `{{claims:0}}:`, so that one script may write them on a cluster. `meta`
says which layout a store is of. This release reads layouts {OLDEST} to {NEWEST}: it leaves a store of layout
{NEWEST - 1} as the release before wrote it until `scrub migrate`, and begins an empty Redis with layout {NEWEST}.
Scripts name their keys (`worker/store/scripts.py`); nothing in them counts places. What the users keep apart, and what
not: [security.md](../ops/security.md).

## Families of keys

| key | kind | where | layout | what |
|---|---|---|---|---|
"""
_NAMES = """
## How an entry is named

Two streams may hold one id, and a sender chooses the ids of its own stream. So an entry is named `<stream>:<id>`, where
the stream is a producer's name or `inner`; one of the inbox by its id alone, as in layout 1. That name is in the
version of a ledger, in `attempts` and `receipts`, in the event memory, in the fields `inboxentry` and `queue.entry`
(there after the partition, where there are several). The decision id is made of the key of the stream and the id.

| of an entry | on the inbox | on a producer's stream | on `inner` |
|---|---|---|---|
| receipt | its id's time; where that is ahead of Redis' clock, when a worker first read it \
| when a worker first read it, by Redis' clock \
| of a forwarded one, as where it came in; of a requeued one, when it was put there |
| `received_date` and `time` count as receipt | yes | only of a producer registered with `--trusted-receipt` \
| as of its sender |
| place among versions of its claim | its id | its receipt, then its id, then the stream \
| as where it came in; a requeued one, its id |
| `forwarded_from`, `requeue_of` beside the event | not believed; up to the end of layout 1, believed \
| not believed | believed |
| facility | the installation's one | as registered | its sender's |
| identity of its event | source and id | the same and the producer, unless a source is bound to the stream \
| its sender's |

An id is never refused for its clock: at most what it says of time is not believed.

## Who may do what

Users of `ops/redis/users.acl`, one line each; commands before the keys on which they may be used.

| user | what for | rights |
|---|---|---|
"""
_OUTLETS = """
## Outlets

One table, `worker/store/outletspecs.py`. The commit script gets these names from it; users, schemas, boards and this
page are made of it.

| outlet | what | judged | a Redis user reads it | its group is there from the start | trimmed |
|---|---|---|---|---|---|
"""


def text() -> str:
    """The page."""
    rows = "".join(map(_family, FAMILIES.values()))
    users = "".join(f"| `{user.name}` | {user.about} | {_rights(user.rights)} |\n" for user in access.USERS)
    name = "NAME"
    own = producer_rights([f"{Keys().stream(name)} of every partition, by name"], Keys().meta)
    users += f"| `{user_of(name)}` | A registered producer, `scrub producer add {name}`. | {_rights(own)} |\n"
    about = "Emergencies and settings; `scrub producer`, `scrub migrate`, `scrub partitions N`."
    users += f"| `admin` | {about} | everything |\n"
    outlets = "".join(
        f"| `{one.name}` | {one.about} | {_yes(one.judged)} | {_yes(one.consumed)} | {_yes(one.grouped)} |"
        f" {_yes(one.consumed)} |\n"
        for one in SPECS.values()
    )
    return _HEAD + rows + _NAMES + users + _OUTLETS + outlets


def _family(one: Family) -> str:
    where = "the first partition" if one.shared else "each partition"
    since = f"from {one.since}" if one.since > OLDEST else "all"
    return f"| `{one.name}` | {one.kind} | {where} | {since} | {one.about} |\n"


def _rights(rights: tuple[access.Right, ...]) -> str:
    shown = []
    for right in rights:
        words = right.commands.split()
        commands = " ".join(word for word in words if word[0] not in "-@")
        keys = " ".join(f"`{key.replace(access.CLAIMS + ':', '')}`" for key in (*right.keys, *right.channels))
        shown.append(f"{commands} on {keys}" if keys else f"connecting, {commands}")
    return "; ".join(shown).replace("|", "\\|")


def _yes(true: bool) -> str:
    return "yes" if true else "no"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if FILE.read_text("utf-8") == text() else "docs/layout.md is stale; run: make access")
    FILE.write_text(text(), "utf-8")
