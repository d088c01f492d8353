"""One sentence for each outage of Redis, however often it is met."""

from __future__ import annotations

from worker.store.reachability import Address, trouble


class OutageReporter:
    """Reports a trouble once, not at each attempt, and when it is over."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._reported = ""

    def failed(self, error: BaseException) -> str | None:
        """The sentence for this error; None: it was reported already."""
        sentence = str(trouble(error, self._address, look=False))
        if sentence == self._reported:
            return None
        self._reported = sentence
        return sentence

    def well(self) -> bool:
        """Whether that is news."""
        before, self._reported = self._reported, ""
        return bool(before)
