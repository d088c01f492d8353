"""Compiles one rule file: names resolved, grades held to, periods checked, conditions turned into closures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from rules.book.conditions import Path, compile_condition, did_you_mean
from rules.book.logic import ALWAYS, Condition
from rules.book.rule import Bypass, Patch, Rule, Text, Version, layer_of
from rules.book.rulefile import RuleShape, TriedRuleShape, VersionShape, YamlDocument, validated
from rules.book.sources import Source
from rules.book.suggesting import suggested
from rules.carried import CARRIED
from rules.causes import CAUSES
from rules.facts import FACTS
from rules.facts.parts import PARTS
from rules.payers import Registry
from rules.procedures import Procedure
from rules.report import Citation, Denial, EditionId
from rules.terms import COMMON, SEVERITIES, Grade, Severity

ALLOWED: Mapping[Grade, tuple[Severity, ...]] = {
    "A": SEVERITIES,
    "S": SEVERITIES,
    "B": SEVERITIES[1:],
    "C": SEVERITIES[2:],
}
"""The severities that a grade may carry: no rule is stricter than its source is good."""
_RANK: Mapping[Grade, int] = {"A": 0, "S": 0, "B": 1, "C": 2}
_NOT_PINNED = frozenset({"examples", "cause", "fault", "another_fix", "overlaps"})
"""Keys that say how findings are shown and the rule is tried, and nothing of what it demands."""
PROCEDURE = "{procedure}"
"""Stands in a rule's words for the code that it speaks of."""
_HEAD_TEXTS = frozenset({"title", "fault"})
_TEXTS = frozenset({"message", "fix", "confirm"})
_WITH_TEXTS = frozenset({"versions", "bypass", "suggest"})


def compile_rule(
    document: YamlDocument, sources: Mapping[str, Source], registry: Registry, procedures: Mapping[str, Procedure]
) -> Rule | None:
    """The rule of a file, or None; every fault is noted in the document."""
    package = procedures.get(layer_of(document.file))
    says = spoken(document.data, package)
    shape = validated(document, TriedRuleShape if document.tried else RuleShape, says)
    if shape is None:
        return None
    _check_names(document, shape, registry)
    _check_procedure(document, shape, package)
    payers, excepted = _meant(shape, registry)
    if not payers:
        document.complain(("except_payers",), "nobody is left whom the rule is for; retire it instead")
    versions = tuple(
        version
        for index, entry in enumerate(shape.versions)
        if (version := _version(document, shape, entry, ("versions", index), sources))
    )
    _check_periods(document, versions)
    _check_ends(document, shape)
    if not document.tried:
        _check_examples(document, shape)
    if document.problems:
        return None
    return Rule(
        code=shape.code,
        title=shape.title,
        file=document.file.removesuffix(".yaml"),
        payers=payers,
        except_payers=excepted,
        bills_as=frozenset(shape.bills_as),
        scope=shape.scope,
        status=shape.status,
        on_void=shape.on_void == "true",
        versions=versions,
        digest=rule_digest(says, payers, excepted),
        groups=tuple(name for name in shape.payers if name in registry.groups),
        excepted=shape.except_payers,
        cause=shape.cause,
        fault=shape.fault,
        another_fix=shape.another_fix == "true",
        needs=shape.needs,
    )


def _meant(shape: RuleShape, registry: Registry) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The payers, each of a group by its own name, and what is left to except: plans, and payers of `all`."""
    if registry.groups.keys().isdisjoint(shape.payers):
        return shape.payers, shape.except_payers
    named = dict.fromkeys(member for name in shape.payers for member in registry.members(name))
    if "all" in named:
        return tuple(named), shape.except_payers
    left = tuple(name for name in shape.except_payers if "/" in name)
    return tuple(name for name in named if name not in shape.except_payers), left


def rule_digest(data: Mapping[str, Any], payers: tuple[str, ...], excepted: tuple[str, ...]) -> str:
    """By what the rule means: that a group stands for its payers, why one is excepted, with which others its findings
    are shown, or that the procedure's code is filled in, changes no override's pin."""
    says = {key: value for key, value in data.items() if key not in _NOT_PINNED}
    says["versions"] = [_without_reason(version) for version in says["versions"]]
    if says["payers"] != list(payers) or isinstance(says.get("except_payers"), dict):
        says |= {"payers": payers, "except_payers": excepted}
        says = {key: value for key, value in says.items() if key != "except_payers" or value}
    return hashlib.sha256(json.dumps(says, sort_keys=True).encode()).hexdigest()


def spoken(data: Any, package: Procedure | None) -> Any:
    """The file's data with the procedure's code in place of `{procedure}` where that is known before any claim is: in
    title and fault, of a rule that is asked once a claim, and where the package is for one code alone."""
    if package is None or not isinstance(data, dict):
        return data
    known = len(package.codes) == 1 or data.get("scope") == "claim"
    return {key: _named(value, package.codes[0], all_texts=known, key=key) for key, value in data.items()}


def _named(node: Any, code: str, *, all_texts: bool, key: str) -> Any:
    if isinstance(node, str):
        return node.replace(PROCEDURE, code) if key in _HEAD_TEXTS or (all_texts and key in _TEXTS) else node
    if isinstance(node, list):
        return [_named(one, code, all_texts=all_texts, key=key) for one in node]
    if isinstance(node, dict) and key in _WITH_TEXTS:
        return {name: _named(one, code, all_texts=all_texts, key=name) for name, one in node.items()}
    return node


def _check_procedure(document: YamlDocument, shape: RuleShape, package: Procedure | None) -> None:
    for key, text in (("title", shape.title), ("fault", shape.fault or "")):
        if package is None and PROCEDURE in text:
            document.complain((key,), f"{PROCEDURE} stands for the code of a package; the rule is in none")


def _without_reason(version: Mapping[str, Any]) -> Mapping[str, Any]:
    """The version without the reasons for a gap before it and for its end, and without what it suggests: these find
    nothing on a claim."""
    dates = {key: value for key, value in version["effective"].items() if key not in ("after_gap", "ends_because")}
    return {key: value for key, value in version.items() if key != "suggest"} | {"effective": dates}


def _check_names(document: YamlDocument, shape: RuleShape, registry: Registry) -> None:
    by_name = tuple(name for name in registry.names if name not in registry.groups)
    for index, name in enumerate(shape.payers):
        if name not in ("all", *registry.names):
            document.complain(("payers", index), f"unknown payer {name!r}{_near(name, ('all', *registry.names))}")
    for index, name in enumerate(shape.except_payers):
        if name in registry.groups or name == "all":
            sentence = f"{name!r} stands for several payers; each exception is a payer or payer/plan, by its own name"
            document.complain(("except_payers", index), sentence)
        elif name not in by_name:
            document.complain(("except_payers", index), f"unknown payer {name!r}{_near(name, by_name)}")
    if shape.cause is not None and shape.cause not in CAUSES:
        hint = did_you_mean(shape.cause, tuple(CAUSES))
        document.complain(("cause",), f"unknown cause {shape.cause!r}{hint}; rules/causes.py lists them")
    for index, name in enumerate(shape.needs):
        if name not in CARRIED:
            hint = did_you_mean(name, tuple(CARRIED))
            document.complain(("needs", index), f"unknown group {name!r}{hint}; rules/carried.py lists them")
    path = PurePosixPath(document.file)
    folder = path.parent.name
    if folder != COMMON and any(name.split("/")[0] != folder for name in shape.payers):
        document.complain(("payers",), f"a file in {folder}/ is for {folder} alone; rules for several are in {COMMON}/")
    if not path.name.startswith(f"{shape.code}-"):
        document.complain(("code",), f"the file of {shape.code} must be named {shape.code}-<slug>.yaml")


def _near(name: str, known: tuple[str, ...]) -> str:
    """Which name was meant; a plan may have been written without its payer."""
    of_plan = next((one for one in known if one.endswith(f"/{name}")), None)
    return f"; did you mean {of_plan!r}?" if of_plan else did_you_mean(name, known)


def _version(
    document: YamlDocument, shape: RuleShape, entry: VersionShape, path: Path, sources: Mapping[str, Source]
) -> Version | None:
    def condition(key: str, node: object) -> Condition:
        return compile_condition(node, (*path, key), shape.scope, document.complain)

    def text(template: str, *keys: str) -> Text:
        return _text(document, template, (*path, *keys), shape.scope)

    if (entry.severity is None) is (entry.gap is None):
        document.complain(path, "needs exactly one of `severity` and `gap`")
        return None
    if (entry.require is None) is (entry.forbid is None):
        document.complain(path, "needs exactly one of `require` and `forbid`")
        return None
    wanted = entry.require is not None
    bypass = (
        None
        if entry.bypass is None
        else Bypass(
            compile_condition(entry.bypass.when, (*path, "bypass", "when"), shape.scope, document.complain),
            text(entry.bypass.message, "bypass", "message"),
            text(entry.bypass.fix, "bypass", "fix"),
        )
    )
    citation = _citation(document, entry, path, sources)
    version = Version(
        start=entry.effective.from_,
        end=entry.effective.to or date.max,
        severity=entry.severity or "note",
        applies=ALWAYS if entry.applies_when is None else condition("applies_when", entry.applies_when),
        demand=condition("require", entry.require) if wanted else condition("forbid", entry.forbid),
        wanted=wanted,
        bypass=bypass,
        message=text(entry.message, "message"),
        fix=text(entry.fix, "fix"),
        patch=tuple(Patch(patch.op, patch.path, patch.value) for patch in entry.patch),
        denial=_denial(entry),
        citation=citation,
        edition=EditionId(entry.citation.table, citation.source, citation.edition) if entry.citation.table else None,
        gap=entry.gap.kind if entry.gap else None,
        gap_table=entry.gap.table if entry.gap else None,
        last_day=sources[entry.citation.source].ends if entry.citation.source in sources else None,
        meant_to_end=entry.effective.ends_because is not None,
        suggest=suggested(document, entry.suggest, (*path, "suggest"), shape.scope, text),
    )
    if version.end < version.start:
        document.complain((*path, "effective", "to"), "is before `from`")
    return version


def _denial(entry: VersionShape) -> Denial | None:
    return Denial(**entry.expected_denial.model_dump()) if entry.expected_denial else None


def _text(document: YamlDocument, template: str, path: Path, scope: str) -> Text:
    try:
        text = Text.parse(template)
    except ValueError as error:
        document.complain(path, f"braces do not match: {error}")
        return Text(())
    for name in text.facts:
        known = FACTS.get(name)
        if known is None:
            document.complain(path, f"unknown fact {name!r}{did_you_mean(name, tuple(FACTS))}")
        elif known.scope == "line" and scope == "claim":
            document.complain(path, f"{name!r} is a fact of a line; a rule with `scope: claim` cannot show it")
    return text


def _citation(document: YamlDocument, entry: VersionShape, path: Path, sources: Mapping[str, Source]) -> Citation:
    cited = entry.citation
    if cited.table is not None and cited.table not in PARTS:
        hint = did_you_mean(cited.table, tuple(PARTS))
        document.complain((*path, "citation", "table"), f"no edition of a table {cited.table!r} is imported{hint}")
    source = sources.get(cited.source)
    if source is None:
        hint = did_you_mean(cited.source, tuple(sources))
        document.complain((*path, "citation", "source"), f"source {cited.source!r} is not in sources.yaml{hint}")
    else:
        if entry.effective.from_ < source.starts:
            document.complain(
                (*path, "effective", "from"),
                f"starts before its source does ({source.starts}); cite the older edition in a version of its own",
            )
        if _RANK[cited.grade] < _RANK[source.grade] or (cited.grade == "S") is not (source.grade == "S"):
            document.complain((*path, "citation", "grade"), f"the source's grade is {source.grade}")
    if entry.severity and entry.severity not in ALLOWED[cited.grade]:
        allowed = " or ".join(ALLOWED[cited.grade])
        document.complain((*path, "severity"), f"grade {cited.grade} may carry {allowed}, not {entry.severity}")
    title, edition, url = (source.title, source.edition, source.url) if source else ("", None, None)
    return Citation(title, edition, cited.locator, url, cited.grade)


def _check_periods(document: YamlDocument, versions: tuple[Version, ...]) -> None:
    for index in range(1, len(versions)):
        if versions[index].start <= versions[index - 1].end:
            document.complain(
                ("versions", index, "effective", "from"), "overlaps the version before it; give that one a `to`"
            )


def _check_ends(document: YamlDocument, shape: RuleShape) -> None:
    for index, version in enumerate(shape.versions):
        last = index == len(shape.versions) - 1
        if version.effective.ends_because and not (last and version.effective.to):
            sentence = (
                "is for the last version of a rule, and for one that has a `to`: leave it out, or give the last day"
            )
            document.complain(("versions", index, "effective", "ends_because"), sentence)


def _check_examples(document: YamlDocument, shape: RuleShape) -> None:
    expected = {example.expect for example in shape.examples}
    for outcome in ("pass", "fail"):
        if outcome not in expected:
            document.complain(("examples",), f"needs at least one example that expects {outcome}")
    names = [example.name for example in shape.examples]
    for index, name in enumerate(names):
        if names.index(name) < index:
            document.complain(("examples", index, "name"), f"there is an example {name!r} already")
