"""A closed list of words is written down once, as a type; whoever needs its members takes them from there."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIST = 3
"""So many words are a list."""


def lists(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """Lines and words of the tuples, lists and Literals of words alone; the keys of a mapping say more than a list."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            words = [part.value for part in node.elts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            if len(words) == len(node.elts) >= LIST:
                found.append((node.lineno, tuple(words)))
    return found


def closed(text: str) -> set[tuple[str, ...]]:
    """What is the whole of a Literal with a name, at the top of a module."""
    named = [
        node.value.slice
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Subscript)
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "Literal"
    ]
    return {words for node in named for _, words in lists(ast.unparse(node))}


def test_no_closed_list_is_written_out_a_second_time() -> None:
    files = [file for folder in ("rules", "worker", "ops") for file in sorted((ROOT / folder).rglob("*.py"))]
    texts = {file: file.read_text("utf-8") for file in files}
    known = {words for text in texts.values() for words in closed(text)}
    assert len(known) > 10
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for file, text in texts.items():
        for line, words in lists(text):
            places[words].append(f"{file.relative_to(ROOT)}:{line}")
    assert {words: found for words, found in places.items() if words in known and len(found) > 1} == {}


@pytest.mark.parametrize(
    "second", ['B = Literal["a", "b", "c"]', 'for x in ("a", "b", "c"): pass', 'x = ["a", "b", "c"]']
)
def test_a_second_list_would_be_seen(second: str) -> None:
    text = f'A = Literal["a", "b", "c"]\n{second}\n'
    assert closed(text) == {("a", "b", "c")}
    assert sorted(line for line, _ in lists(text)) == [1, 2]
