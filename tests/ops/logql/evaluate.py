"""Evaluates the part of LogQL that our dashboards and alerts use, on lines in memory.

It walks the tree of Grafana's own parser and does what Loki's documentation says of each node; a node that it does not
know is an error, never skipped. Where Loki would answer with an error (a label that is no number under `unwrap`, a line
that is no JSON under `json` in a metric query) it raises.
"""

from __future__ import annotations

import json
import operator
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .syntax import Node

Labels = dict[str, str]
Vector = dict[frozenset[tuple[str, str]], float]
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Eql": operator.eq, "Eq": operator.eq, "Neq": operator.ne, "Gtr": operator.gt, "Gte": operator.ge, "Lss": operator.lt, "Lte": operator.le,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "Add": operator.add, "Sub": operator.sub, "Mul": operator.mul, "Div": lambda a, b: a / b if b else float("nan"),
}  # fmt: skip


class LokiWouldRefuse(Exception):
    """Loki answers such a query with an error."""


@dataclass(frozen=True)
class Log:
    """Lines of one stream in the order of time."""

    stream: Labels
    times: tuple[float, ...]
    lines: tuple[str, ...]

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, str]], **stream: str) -> Log:
        ordered = sorted(pairs, key=lambda pair: pair[0])
        return cls(stream, tuple(time for time, _ in ordered), tuple(line for _, line in ordered))


def evaluate(tree: Node, log: Log, at: float) -> Vector:
    """What the expression answers at this time (seconds since 1970)."""
    found = _expression(tree, log, at)
    assert isinstance(found, dict), "a metric query answers a vector"
    return found


def _expression(node: Node, log: Log, at: float) -> Vector | float:
    match node.name:
        case "LogQL" | "Expr" | "MetricExpr":
            (inner,) = node.children
            return _expression(inner, log, at)
        case "LiteralExpr":
            return float(node.text)
        case "BinOpExpr":
            return _binary(node, log, at)
        case "VectorAggregationExpr":
            return _aggregate(node, log, at)
        case "RangeAggregationExpr":
            return _range(node, log, at)
    raise NotImplementedError(node.name)


def _binary(node: Node, log: Log, at: float) -> Vector | float:
    first, sign, modifier, second = node.children
    assert not modifier.text, modifier
    assert all(sign.name == inner for side in (first, second) if (inner := _bare(side))), (
        f"put into brackets: {node.text}"
    )
    left, right = _expression(first, log, at), _expression(second, log, at)
    if sign.name in ("And", "Or", "Unless"):
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        if sign.name == "Or":
            return {**right, **left}
        return {key: value for key, value in left.items() if (key in right) == (sign.name == "And")}
    if sign.name in _COMPARE:
        assert isinstance(left, dict)
        if isinstance(right, dict):
            return {
                key: value for key, value in left.items() if key in right and _COMPARE[sign.name](value, right[key])
            }
        return {key: value for key, value in left.items() if _COMPARE[sign.name](value, right)}
    act = _ARITHMETIC[sign.name]
    if isinstance(left, dict) and isinstance(right, dict):
        return {key: act(value, right[key]) for key, value in left.items() if key in right}
    if isinstance(left, dict):
        assert isinstance(right, float)
        return {key: act(value, right) for key, value in left.items()}
    if isinstance(right, dict):
        return {key: act(left, value) for key, value in right.items()}
    return act(left, right)


def _bare(side: Node) -> str | None:
    """The sign of a binary operation that stands without brackets: what binds tighter is then a matter of opinion."""
    inner = side
    while inner.name in ("Expr", "MetricExpr") and len(inner.children) == 1 and not inner.text.startswith("("):
        (inner,) = inner.children
    return inner.children[1].name if inner.name == "BinOpExpr" and not side.text.startswith("(") else None


def _grouping(node: Node) -> list[str] | None:
    found = node.child("Grouping")
    if found is None:
        return None
    assert found.child("By"), "`without` is not used"
    return [label.text for label in found.all("Identifier")]


def _key(labels: Iterable[tuple[str, str]], by: list[str] | None) -> frozenset[tuple[str, str]]:
    """An empty label is no label."""
    return frozenset((name, value) for name, value in labels if value and (by is None or name in by))


def _aggregate(node: Node, log: Log, at: float) -> Vector:
    (kind,) = node.all("VectorOp")[0].children
    inner = next(child for child in node.children if child.name in ("MetricExpr", "Expr"))
    vector = _expression(inner, log, at)
    assert isinstance(vector, dict)
    if kind.name == "Topk":
        number = node.child("Number")
        assert number
        return dict(sorted(vector.items(), key=lambda item: -item[1])[: int(number.text)])
    grouped: dict[frozenset[tuple[str, str]], list[float]] = {}
    for key, value in vector.items():
        grouped.setdefault(_key(key, _grouping(node) or []), []).append(value)
    fold: Callable[[list[float]], float] = {"Sum": sum, "Max": max, "Min": min, "Count": len}[kind.name]
    return {key: float(fold(values)) for key, values in grouped.items()}


def _range(node: Node, log: Log, at: float) -> Vector:
    (kind,) = node.all("RangeOp")[0].children
    span = node.child("LogRangeExpr")
    assert span
    seconds, offset = 0.0, 0.0
    for part in span.children:
        if part.name == "Range":
            seconds = _seconds(part.all("Duration")[0].text)
        elif part.name == "OffsetExpr":
            offset = _seconds(part.all("Duration")[0].text)
    grouped: dict[frozenset[tuple[str, str]], list[float]] = {}
    by = _grouping(node)
    assert by != [], "Loki takes an empty grouping for none, and makes a series of every line"
    start, stop = bisect_right(log.times, at - offset - seconds), bisect_right(log.times, at - offset)
    for line in log.lines[start:stop]:
        found = _pipe(span, log.stream, line)
        if found is not None:
            labels, value = found
            grouped.setdefault(_key(labels.items(), by), []).append(value)
    if kind.name == "AbsentOverTime":
        equal = {
            m.children[0].text: _string(m.children[2]) for m in span.all("Selector")[0].all("Matcher") if m.child("Eq")
        }
        return {} if grouped else {frozenset(equal.items()): 1.0}
    number = node.child("Number")
    fold: Callable[[list[float]], float] = {
        "CountOverTime": len, "Rate": lambda values: len(values) / seconds, "SumOverTime": sum, "MaxOverTime": max,
        "MinOverTime": min, "QuantileOverTime": lambda values: _quantile(float(number.text if number else 0), values),
    }[kind.name]  # fmt: skip
    return {key: float(fold(values)) for key, values in grouped.items()}


def _quantile(share: float, values: list[float]) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _seconds(text: str) -> float:
    parts = re.findall(r"(\d+)(ms|[smhdw])", text)
    assert parts, text
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _string(node: Node) -> str:
    assert node.name == "String", node
    return node.text[1:-1] if node.text.startswith("`") else json.loads(node.text)


def _matches(sign: str, value: str, wanted: str) -> bool:
    match sign:
        case "Eq":
            return value == wanted
        case "Neq":
            return value != wanted
        case "Re":
            return re.fullmatch(wanted, value) is not None
        case "Nre":
            return re.fullmatch(wanted, value) is None
    raise NotImplementedError(sign)


def _stages(node: Node) -> Iterable[Node]:
    """The stages of a pipeline from left to right, whatever their nesting."""
    for part in node.children:
        if part.name in ("PipelineExpr", "PipelineStage", "LineFilters"):
            yield from _stages(part)
        elif part.name == "UnwrapExpr":
            yield from _stages(part) if part.child("UnwrapExpr") else [part]
        elif part.name not in ("Pipe", "Range", "OffsetExpr"):
            yield part


def _pipe(span: Node, stream: Labels, line: str) -> tuple[Labels, float] | None:
    """The line's labels at the end of the pipeline and its value; None: it was filtered out."""
    labels, value = dict(stream), 1.0
    for stage in _stages(span):
        match stage.name:
            case "Selector":
                for matcher in stage.all("Matcher"):
                    name, sign, wanted = matcher.children
                    if not _matches(sign.name, stream.get(name.text, ""), _string(wanted)):
                        return None
            case "LineFilter":
                if not _line_filter(stage, line):
                    return None
            case "LabelParser":
                assert stage.child("Json"), stage.text
                labels |= _json(line, stream)
            case "JsonExpressionParser":
                labels |= _paths(stage, line)
            case "LabelFilter":
                if not _label_filter(stage, labels):
                    return None
            case "LabelFormatExpr":
                for matcher in stage.all("LabelFormatMatcher"):
                    name, _, template = matcher.children
                    labels[name.text] = _template(_string(template), labels)
            case "UnwrapExpr":
                name = stage.all("Identifier")[0]
                if name.text not in labels:
                    return None
                text = labels.pop(name.text)
                try:
                    value = float(text)
                except ValueError:
                    raise LokiWouldRefuse(f"{name.text} is {text!r}, which is no number") from None
            case _:
                raise NotImplementedError(stage.name)
    return labels, value


def _line_filter(stage: Node, line: str) -> bool:
    sign = stage.all("Filter")[0].children[0].name
    wanted = _string(stage.all("String")[0])
    match sign:
        case "PipeExact":
            return wanted in line
        case "PipeMatch":
            return re.search(wanted, line) is not None
    raise NotImplementedError(sign)


def _json(line: str, stream: Labels) -> Labels:
    """Every scalar of the line; arrays and nulls are left out, and a name that the stream has gets a suffix."""
    try:
        found = json.loads(line)
    except ValueError:
        raise LokiWouldRefuse(f"not JSON: {line[:80]}") from None
    labels = {}
    for name, value in found.items():
        label = re.sub(r"[^A-Za-z0-9_]", "_", name)
        assert not isinstance(value, dict), "our lines are flat"
        if value is not None and not isinstance(value, list):
            labels[f"{label}_extracted" if label in stream else label] = _text(value)
    return labels


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _paths(stage: Node, line: str) -> Labels:
    found = json.loads(line)
    labels = {}
    for extraction in stage.all("LabelExtractionExpression"):
        name, _, path = extraction.children
        value: Any = found
        for key, index in re.findall(r'\["([^"]+)"\]|\[(\d+)\]', _string(path)):
            try:
                value = value[key] if key else value[int(index)]
            except (KeyError, IndexError, TypeError):
                value = None
                break
        labels[name.text] = "" if value is None else _text(value)
    return labels


def _label_filter(stage: Node, labels: Labels) -> bool:
    if matcher := stage.child("Matcher"):
        name, sign, wanted = matcher.children
        return _matches(sign.name, labels.get(name.text, ""), _string(wanted))
    if number := stage.child("NumberFilter"):
        name, sign, wanted = number.children
        return name.text in labels and _COMPARE[sign.name](float(labels[name.text]), float(wanted.text))
    raise NotImplementedError(stage.text)


_IF = re.compile(r'\{\{ if eq \.(\w+) "([^"]*)" \}\}(.*?)(?:\{\{ else \}\}(.*?))?\{\{ end \}\}')


def _template(text: str, labels: Labels) -> str:
    """Go templates as far as `{{ if eq .label "value" }}..{{ else }}..{{ end }}` and `{{ .label }}` go."""
    text = _IF.sub(lambda m: m[3] if labels.get(m[1], "") == m[2] else m[4] or "", text)
    text = re.sub(r"\{\{ \.(\w+) \}\}", lambda m: labels.get(m[1], ""), text)
    assert "{{" not in text, text
    return text
