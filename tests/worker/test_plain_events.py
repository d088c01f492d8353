"""An event that is read the quick way is what every other reading of its bytes gives; a key that is there twice is
refused, wherever it stands and however it is written.

msgspec keeps the last of two equal keys and says nothing (as orjson and the standard library do): RFC 8259 leaves it
open, and parsers that differ there were the way around checks before (CVE-2017-12635).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.claim import Claim
from tests.rules.claims import CLAIMS
from tests.rules.drawn import ODD, claims_of
from worker.bench.claims import claim, event
from worker.errors import EventInvalid
from worker.intake import events
from worker.intake.events import Submission, decode, parse_event, read_event

LIMIT = 2**20
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def otherwise(raw: bytes) -> Submission | str:
    try:
        return parse_event(decode(raw))
    except EventInvalid as error:
        return f"{error.reason}: {error}"


def agree(raw: bytes) -> bool:
    """Whether it is read the quick way; then it is the same, and sound."""
    found, expected = events._plain(raw), otherwise(raw)
    if found is not None:
        assert isinstance(expected, Submission), expected
        assert (found.event, found.content, found.digest) == (expected.event, expected.content, expected.digest)
        assert repr(found.claim) == repr(expected.claim)
    return found is not None


def written(value: Any) -> bytes:
    """As JSON, each Decimal as a number with all its digits."""
    return re.sub(r'"@@(.*?)@@"', r"\1", json.dumps(value, default=lambda number: f"@@{number}@@")).encode()


def envelope(data: Any, **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "e-1", "source": "/x", "type": "claim.submitted.v1",
        "time": "2026-10-20T14:03:00Z", "datacontenttype": "application/json", "data": data, **more,
    }  # fmt: skip


def test_the_events_of_the_bench_are_read_the_quick_way() -> None:
    assert all(agree(event(number)) for number in range(300))


@pytest.mark.parametrize("layout", [{}, {"indent": 2}, {"separators": (" , ", "\t:\n ")}, {"sort_keys": True}])
def test_however_the_bytes_are_laid_out(layout: dict[str, Any]) -> None:
    assert agree(json.dumps(envelope(claim(7)), **layout).encode())


def test_numbers_with_a_fraction_keep_their_digits() -> None:
    data = claim(7)
    for amount in ("450.00", "450.10", "4.5e2", "450", "1E+2", "0.1", "-0.0", "99999999999999999999", "1e400"):
        raw = json.dumps(envelope({**data, "total_charge": "@"})).replace('"@"', amount).encode()
        agree(raw)
        assert (amount == "450.00") <= (events._plain(raw) is not None)


@QUIET
@given(CLAIMS | claims_of(Claim))
def test_any_claim(data: dict[str, Any]) -> None:
    agree(written(envelope(data)))


@QUIET
@given(st.sampled_from(sorted(envelope(None))), ODD)
def test_an_odd_value_anywhere_in_the_envelope(name: str, value: Any) -> None:
    agree(written({**envelope(claim(3)), name: value}))


@QUIET
@given(st.dictionaries(st.text(max_size=5), ODD, max_size=3))
def test_any_extension(more: dict[str, Any]) -> None:
    agree(written({**more, **envelope(claim(3))}))


@QUIET
@given(st.integers(0, 2_000), st.binary(max_size=3), st.integers(0, 3), st.integers(0, 200))
def test_bytes_that_were_changed_anywhere(place: int, put: bytes, out: int, number: int) -> None:
    raw = event(number)
    place %= len(raw)
    agree(raw[:place] + put + raw[place + out :])


@QUIET
@given(
    st.integers(0, 10**6),
    st.sampled_from([b'"', b":", b",", b"{", b"}", b"\n", b" ", b"\x01", b"\x7f", b"0", b".", b"e5"]),
)
def test_signs_of_json_that_were_put_in_anywhere(place: int, put: bytes) -> None:
    raw = event(11)
    place %= len(raw)
    agree(raw[:place] + put + raw[place:])


def twice(value: Any) -> Iterator[str]:
    """The JSON with one key of one object there twice, once for each, and each of them in front and behind."""
    if isinstance(value, dict):
        pairs = [f"{json.dumps(key)}:{json.dumps(one)}" for key, one in value.items()]
        for number, key in enumerate(value):
            for other in ("null", json.dumps(value[key]), "1", '":"'):
                again = f"{json.dumps(key)} : {other}"
                yield "{" + ",".join([again, *pairs]) + "}"
                yield "{" + ",".join([*pairs, again]) + "}"
            for inner in twice(value[key]):
                yield "{" + ",".join([*pairs[:number], f"{json.dumps(key)}:{inner}", *pairs[number + 1 :]]) + "}"
    if isinstance(value, list):
        for number, one in enumerate(value):
            for inner in twice(one):
                yield (
                    "["
                    + ",".join([*map(json.dumps, value[:number]), inner, *map(json.dumps, value[number + 1 :])])
                    + "]"
                )


def test_a_key_that_is_there_twice_is_refused_wherever_it_stands() -> None:
    texts = list(twice(envelope(claim(5))))
    assert len(texts) > 300
    for text in texts:
        with pytest.raises(EventInvalid, match="twice"):
            read_event(text.encode(), limit=LIMIT)


def test_a_text_that_looks_like_keys_makes_no_key_twice() -> None:
    data = claim(5)
    for text in ('":', ":", "a:b", ",:,", "{a: 1, a: 2}"):
        agree(json.dumps(envelope({**data, "claim_id": text}, subject=text)).encode())


def test_a_text_that_stands_in_for_a_key_that_was_lost_does_not_hide_it() -> None:
    """A quotation mark within a text is escaped, and an event with a backslash is never read the quick way."""
    raw = event(5).replace(b'"source":"/bench"', b'"source":"/bench","source":"/bench\\"\\"\\"\\""')
    assert events._plain(raw) is None
    with pytest.raises(EventInvalid, match="twice"):
        read_event(raw, limit=LIMIT)
