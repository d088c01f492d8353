"""Colors and wording that the report and the dashboards share.

Colors are after Okabe and Ito (https://jfly.uni-koeln.de/color/), distinct for color-blind readers as well; a
disposition has the same one everywhere. Each has a lightness for a light and one for a dark page.
"""

from __future__ import annotations

from worker.store.outletspecs import DISPOSED

LIGHT: dict[str, str] = {**{name: spec.light for name, spec in DISPOSED.items()}, "plain": "#0072b2"}
DARK: dict[str, str] = {**{name: spec.dark for name, spec in DISPOSED.items()}, "plain": "#56b4e9"}
LIGHT_PAGE = {
    "ground": "#f5f6f8", "paper": "#ffffff", "ink": "#1c2329", "quiet": "#55606b", "rule": "#e3e6ea", "edge": "#8a939e",
}  # fmt: skip
DARK_PAGE = {
    "ground": "#12161a", "paper": "#1a2026", "ink": "#e8ecf0", "quiet": "#a8b3be", "rule": "#2d353d", "edge": "#66717c",
}  # fmt: skip
SERIES_LIGHT = ("#0072b2", "#d55e00", "#00825f", "#a8508c", "#946200", "#4a5560")
SERIES_DARK = ("#56b4e9", "#f28a3c", "#2bb68f", "#d98cc0", "#e6b422", "#c3ccd6")

CLEAN_CLAIM_RATE = (
    "Claims that passed every edit without a person's help, of all claims that came in (HFMA MAP Key CL-1, Clean Claim"
    " Rate). Here: claims whose first verdict was billing, also while verdicts are only observed. Held back, unchecked"
    " and unreadable claims are not clean."
)
"""The definition is HFMA's, https://www.hfma.org/data-and-insights/map-initiative/"""
EXPECTED_LEAST = (
    "The least that lines of the book's procedures are expected to bring, of the claims of which that can be said: an "
    "estimate by fee schedules and your contracts, before deductible and sequestration."
)
AT_STAKE = "Total charge (CLM02) of the claims concerned: what was billed, not what would have been paid."
EXPECTED = (
    "What Medicare's schedules, or the hospital's contracts, are expected to allow for the lines of the book's"
    " procedures on held claims: payer's and patient's part together, before deductible and sequestration; a range"
    " where the claim does not say its locality, or other procedures of the day count. Lines of other codes are not in"
    " it."
)
