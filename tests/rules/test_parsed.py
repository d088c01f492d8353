"""The data of the shipped YAML files is known, so that a start need not read YAML (ops/decisions/0010)."""

from __future__ import annotations

import re

import pytest
import yaml

from rules.book.parsed import Parsed, parsed_of, written
from rules.book.reading import read_content
from rules.book.rulefile import read_document
from rules.errors import BookInvalid
from rules.loader import PARSED, book_files, load_book, read_untried

FILES = book_files()
SHIPPED = parsed_of(PARSED.read_text("utf-8"))


def test_what_is_known_of_every_shipped_file_is_what_yaml_says() -> None:
    names = [name for name in FILES if name.endswith(".yaml")]
    assert set(SHIPPED.files) == set(names)
    for name in names:
        assert SHIPPED.data(name, FILES[name]) == read_document(name, FILES[name].decode(), tried=True).data, name


def test_the_shipped_book_is_loaded_without_reading_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("YAML was read")

    monkeypatch.setattr(yaml, "compose", refuse)
    assert load_book().rules


def test_the_book_is_the_same_where_nothing_is_known() -> None:
    books = [read_content(FILES, {}, None, parsed=known, tried=FILES).book for known in (Parsed(), SHIPPED)]
    one, other = ([re.sub(r" at 0x\w+", "", repr(rule)) for rule in book.rules] for book in books)
    assert one == other


@pytest.mark.parametrize("change", [b"\n", b"# a word\n", b"nonsense: true\n"])
def test_a_file_that_is_not_as_shipped_is_read(change: bytes) -> None:
    name = next(name for name in FILES if name.startswith("form/common/"))
    assert SHIPPED.data(name, FILES[name]) is not None
    assert SHIPPED.data(name, FILES[name] + change) is None
    assert SHIPPED.data("form/common/another.yaml", FILES[name]) is None


def test_examples_are_read_wherever_they_are_to_be_run() -> None:
    documents = read_untried(FILES).documents
    assert all(document.data["examples"] for document in documents.values())


def test_a_fault_in_a_file_whose_data_is_known_is_named_with_its_line() -> None:
    name = next(name for name in FILES if "/medicare/" in name and name.startswith("procedures/"))
    source = SHIPPED.data(name, FILES[name])["versions"][0]["citation"]["source"]
    sources = FILES["sources.yaml"].decode().replace(f"\n{source}:\n", f"\n{source}-gone:\n")
    with pytest.raises(BookInvalid) as error:
        read_content({**FILES, "sources.yaml": sources.encode()}, {}, None, parsed=SHIPPED, tried=FILES)
    problem = next(one for one in error.value.problems if one.file == name and one.path.endswith("citation.source"))
    line = FILES[name].decode().splitlines()[problem.line - 1]
    assert f"source: {source}" in line


def test_what_is_written_is_a_line_a_file_so_that_a_change_of_one_rule_is_a_change_of_one_line() -> None:
    text = written(FILES)
    assert text == PARSED.read_text("utf-8")
    assert len(text.splitlines()) == len(SHIPPED.files)
