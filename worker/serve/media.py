"""What is sent, by Content-Type, and what is answered, by Accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from worker.errors import NotAcceptable, TypeNotTaken, TypeOther

Kind = Literal["json", "x12", "fhir"]
AnswerKind = Literal["json", "ndjson", "x12", "fhir"]
TAKEN: Mapping[str, Kind] = {
    "application/json": "json",
    "application/x-ndjson": "json",
    "application/ndjson": "json",
    "application/cloudevents+json": "json",
    "application/cloudevents-batch+json": "json",
    "application/fhir+json": "fhir",
    "application/fhir+ndjson": "fhir",
    "application/edi-x12": "x12",
    "application/x12": "x12",
}
"""Lower case, as media types are compared."""
ANSWERS: Mapping[AnswerKind, str] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "x12": "application/edi-x12",
    "fhir": "application/fhir+json",
}
_ACCEPTED: Mapping[str, AnswerKind] = {
    **{media: kind for kind, media in ANSWERS.items()},
    "application/x12": "x12",
    "application/ndjson": "ndjson",
    "*/*": "json",
    "application/*": "json",
}
_BLANK = b" \t\r\n\xef\xbb\xbf"


def kind_of(content_type: str, body: bytes) -> Kind:
    """What a body is, by what the sender says of it.

    Raises:
        TypeNotTaken, TypeOther: it is not what he says.
    """
    kind = TAKEN.get(content_type.partition(";")[0].strip().lower())
    if kind is None:
        raise TypeNotTaken(taken=", ".join(TAKEN))
    begin = body.lstrip(_BLANK)[:3]
    if begin and (begin == b"ISA") != (kind == "x12"):
        raise TypeOther(said=kind, begin="ISA" if kind == "x12" else "{ or [")
    return kind


def answer_kind(accept: str) -> AnswerKind:
    """What the sender wants, of what there is; JSON where he does not say.

    Raises:
        NotAcceptable
    """
    wanted = sorted(filter(None, map(_weighed, (accept or "*/*").split(","))), key=lambda one: -one[0])
    for weight, media in wanted:
        if weight > 0 and (kind := _ACCEPTED.get(media)):
            return kind
    raise NotAcceptable(known=", ".join(ANSWERS.values()))


def _weighed(part: str) -> tuple[float, str] | None:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weights = [piece[2:] for piece in parameters if piece.startswith("q=")]
    try:
        return (float(weights[0]) if weights else 1.0), media
    except ValueError:
        return None
