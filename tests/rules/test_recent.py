"""What was asked for last is kept, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.engine.recent import Recent


def test_what_is_asked_for_again_and_again_stays_whatever_else_comes() -> None:
    kept = Recent[str](10)
    kept["often"] = "yes"
    for number in range(1_000):
        kept[number] = "once"
        assert kept.get("often") == "yes"
    assert kept.get(0) is None


def test_what_was_not_asked_for_since_it_was_looked_at_goes_first_and_nothing_else() -> None:
    kept = Recent[str](3)
    for key in "abc":
        kept[key] = key
    kept.get("a")
    kept["d"] = "d"
    assert list(kept) == ["c", "a", "d"]
    kept["e"] = "e"
    assert list(kept) == ["a", "d", "e"]


def test_where_all_was_asked_for_the_first_one_goes() -> None:
    kept = Recent[str](3)
    for key in "abc":
        kept[key] = key
        kept.get(key)
    kept["d"] = "d"
    assert list(kept) == ["b", "c", "d"]


def test_another_value_of_a_key_takes_no_room() -> None:
    kept = Recent[int](2)
    kept["a"], kept["b"], kept["a"] = 1, 2, 3
    assert (kept.get("a"), kept.get("b"), len(kept)) == (3, 2, 2)


def test_what_was_not_there_is_not_there() -> None:
    kept = Recent[str](10)
    assert kept.get("never") is None
    assert len(kept) == 0


@given(st.lists(st.integers(0, 30)), st.integers(2, 12))
def test_it_never_holds_more_than_it_may_nor_another_value(keys: list[int], most: int) -> None:
    kept = Recent[int](most)
    for key in keys:
        assert kept.get(key) in (None, key * key)
        kept[key] = key * key
        assert kept.get(key) == key * key
        assert len(kept) <= most
