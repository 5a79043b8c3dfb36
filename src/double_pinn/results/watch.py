"""A computation that may take long: it says how far it is, and is refused if it takes too long."""

import sys
import time
from collections.abc import Callable
from typing import Self

from double_pinn.errors import UserError
from double_pinn.results.duration import in_words

#: Seconds after which the pace of a computation is known, and what is left of it worth a line.
KNOWN_AFTER = 5.0

#: Seconds between two lines; on a terminal, where they replace each other, between two of those.
INTERVAL, REDRAWN = 10.0, 1.0


class Watch:
    """Follows a computation of steps that cost about the same for the same work.

    Use it in a ``with`` statement.
    """

    def __init__(
        self, what: str, longest: float, advice: str, say: Callable[[str], None] | None = None
    ):
        """Start the clock.

        Args:
            what: is computed, as the subject of a sentence.
            longest: seconds that it may take in all.
            advice: what to do where it would take longer.
            say: shows a line; by default it goes to stderr, in place on a terminal.
        """
        self._what, self._longest, self._advice, self._say = what, longest, advice, say
        self._in_place = say is None and sys.stderr.isatty()
        self._started = self._begun = time.monotonic()
        self._shown = -float("inf")
        self._total = self._done = 0.0
        self._drawn = False

    def begin(self, work: float) -> None:
        """Begin a part.

        Args:
            work: of the part, in the unit of :meth:`advance`.
        """
        self._begun, self._total, self._done = time.monotonic(), work, 0.0

    def advance(self, work: float) -> None:
        """Note that some work of the part is done.

        Raises:
            UserError: if the whole would take longer than it may, by the pace so far.
        """
        self._done += work
        now = time.monotonic()
        spent = now - self._begun
        if spent < KNOWN_AFTER:
            return
        left = spent * (self._total / self._done - 1)
        whole = now - self._started + left
        if whole > self._longest:
            raise UserError(
                f"{self._what} would take about {in_words(whole)}, and may take "
                f"{in_words(self._longest)}; {self._advice}"
            )
        if now - self._shown >= (REDRAWN if self._in_place else INTERVAL):
            self._shown = now
            done = 100 * self._done / self._total
            self._show(f"{self._what} is at {done:.0f} %, about {round(left)} seconds left")

    def _show(self, text: str) -> None:
        if self._say:
            self._say(text)
        elif self._in_place:
            self._drawn = True
            print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        if self._drawn:
            print(file=sys.stderr)
