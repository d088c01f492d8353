"""What Medicare is expected to allow for a line."""

from __future__ import annotations

from dataclasses import replace

from rules.payment.facilities import facility_payment
from rules.payment.physician import physician_payment
from rules.payment.question import Expected, Looked, Question, Unknown, unknown
from rules.tables.table import Tables


def medicare_payment(question: Question, tables: Tables) -> Expected:
    """The answer to a question, by the tables of a book."""
    looked = Looked(tables, question.day, {})
    pay = physician_payment if question.site in ("office", "facility") else facility_payment
    try:
        found = pay(question, looked)
    except Unknown as wanting:
        return unknown(*wanting.missing)
    return replace(found, editions=(*question.places.editions, *looked.editions))
