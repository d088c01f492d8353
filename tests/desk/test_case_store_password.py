"""The password of the case store's database, which is in a file: on a real PostgreSQL that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.config.settings import load_settings
from worker.desk.casestore import CaseStore
from worker.errors import CaseStoreUnusable, SettingsInvalid

from .postgres import PostgreSQL, programs, server

PASSWORD = "hunter2-of-the-test"


@pytest.fixture(scope="module")
def guarded() -> Iterator[PostgreSQL]:
    found = programs()
    if found is None:
        pytest.skip("there is no PostgreSQL server here: apt install postgresql")
    with server(found, PASSWORD) as started:
        yield started


@pytest.mark.slow
def test_it_is_read_for_each_connection_and_what_is_wrong_with_it_is_said_without_it(
    guarded: PostgreSQL, tmp_path: Path
) -> None:
    url, file = guarded.empty(), tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    store = CaseStore(url, file)
    with store.session() as session:
        assert session.open_count() == 0
    store.close()  # its connections: the next is made anew
    for text, said in (("wrong\n", "password authentication failed"), ("", "it is empty"), ("a\nb\n", "several lines")):
        file.write_text(text)
        with pytest.raises(CaseStoreUnusable, match=said) as caught, store.session() as session:
            session.open_count()
        assert PASSWORD not in str(caught.value)
    file.unlink()
    with pytest.raises(CaseStoreUnusable, match="No such file"), store.session() as session:
        session.open_count()
    file.write_text(f"{PASSWORD}\n")
    with store.session() as session:
        assert session.open_count() == 0
    store.close()


@pytest.mark.slow
def test_without_it_the_database_lets_nobody_in(guarded: PostgreSQL) -> None:
    with pytest.raises(CaseStoreUnusable):
        CaseStore(guarded.empty())


@pytest.mark.usefixtures("unset")
def test_two_passwords_are_one_too_many() -> None:
    with pytest.raises(SettingsInvalid, match="SCRUB_CASE_STORE: it has a password") as caught:
        load_settings(case_store=f"postgresql+psycopg://scrub:{PASSWORD}@db/cases", case_store_password_file="/x")
    assert PASSWORD not in str(caught.value)
    assert load_settings(case_store="postgresql+psycopg://scrub@db:5432/cases", case_store_password_file="/x")
    assert load_settings(case_store="sqlite:////srv/a:b/cases.db", case_store_password_file="/x")
