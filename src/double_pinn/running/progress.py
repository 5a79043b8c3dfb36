"""Progress of a training job: a bar in place on a terminal, whole lines elsewhere."""

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TextIO

from double_pinn.errors import DataError

_BLOCKS = " ▏▎▍▌▋▊▉█"


def _bar(fraction: float, width: int) -> str:
    # Rounded down: a full bar is a finished run.
    eighths = int(max(0.0, min(1.0, fraction)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(width)


def _columns() -> int:
    """Return the width of the terminal behind stderr; 80 where it does not say."""
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80


def _pace(rate: float) -> str:
    if not rate:
        return "-- it/s"
    return f"{rate:,.0f} it/s" if rate >= 100 else f"{rate:.3g} it/s"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


class Progress:
    """A display of iteration, loss, test loss, iterations per second and time left.

    On a terminal of its own the bar is redrawn in place, never wider than the terminal; elsewhere,
    a line is written every ``interval`` seconds. The log file always gets whole lines. What was
    reported last is always shown in the end.
    """

    def __init__(self, label: str, total: int, *, log: Path | None = None, interval: float = 10.0):
        """Open the log, if there is one, for appending: a resumed job continues its log.

        Raises:
            DataError: if the log cannot be opened.
        """
        self.label, self.total, self.interval = label, total, interval
        self._in_place = sys.stderr.isatty() and log is None
        self._log: TextIO | None = None
        if log is not None:
            try:
                Path(log).parent.mkdir(parents=True, exist_ok=True)
                self._log = open(log, "a", encoding="utf-8")  # noqa: SIM115 - closed in close()
            except OSError as error:
                raise DataError(f"{log}: the log cannot be opened: {error.strerror}") from None
        self._last = -float("inf")
        self._marks: list[tuple[float, int]] = []
        #: The last report, as long as it is not shown.
        self._pending: tuple[int, float, float | None] | None = None
        self._shown: tuple[int, float, float | None] | None = None
        self._bar = ""

    def say(self, message: str):
        """Write a line to the terminal and the log; a bar stays below it."""
        if self._in_place:
            self._show_pending()
            print(
                f"\r\033[K{self.label}  {message}\n{self._bar}", end="", file=sys.stderr, flush=True
            )
            return
        self._show_pending()
        self._line(message)

    def _line(self, message: str):
        line = f"{self.label}  {message}"
        print(line, file=sys.stderr, flush=True)
        if self._log is not None:
            self._to_log(self._log, line)

    def _to_log(self, log: TextIO, line: str):
        try:
            print(line, file=log, flush=True)
        except OSError as error:
            # The training is worth more than its log.
            self._log = None
            with contextlib.suppress(OSError):
                log.close()
            self._line(f"{log.name}: the log cannot be written any more: {error.strerror}")

    def update(self, iteration: int, loss: float, test_loss: float | None):
        """Report where training stands; cheap enough for every call of the loop."""
        now = time.monotonic()
        self._marks.append((now, iteration))
        while len(self._marks) > 2 and now - self._marks[0][0] > 30:
            self._marks.pop(0)
        self._pending = iteration, loss, test_loss
        if now - self._last >= (0.2 if self._in_place else self.interval):
            self._show_pending()

    def _show_pending(self):
        if self._pending is None:
            return
        report, self._pending = self._pending, None
        self._shown = report
        self._last = time.monotonic()
        if self._in_place:
            # The last column stays free: a character there makes some terminals wrap.
            self._bar = self._text(*report, columns=_columns() - 1)
            # Drawn over, not cleared first, which would flicker.
            print(f"\r{self._bar}\033[K", end="", file=sys.stderr, flush=True)
        else:
            self._line(self._text(*report))

    def _text(
        self,
        iteration: int,
        loss: float,
        test_loss: float | None,
        columns: int | None = None,
        ended: bool = False,
    ) -> str:
        """Return the report in a line, without its label where there is no limit of columns.

        In that many columns, label and bar give way to the numbers.

        Where training has ended, there is no pace and no time left.
        """
        (t0, i0), (t1, i1) = self._marks[0], self._marks[-1]
        rate = (i1 - i0) / (t1 - t0) if i1 > i0 and t1 > t0 else 0.0
        clock = _clock((self.total - iteration) / rate) if rate else "--:--"
        pace, left = ([], []) if ended else ([_pace(rate)], [f"left {clock}"])
        done, percent = iteration / self.total, f"{100 * iteration / self.total:3.0f} %"
        losses = {"loss": loss} | ({} if test_loss is None else {"test": test_loss})

        def numbers(gap: str, count: str, digits: int, *rest: str) -> str:
            texts = (f"{name} {value:.{digits}e}" for name, value in losses.items())
            return gap.join([f"{percent} {count}", *texts, *rest])

        long = numbers("  ", f"{iteration:,}/{self.total:,}", 2, *pace, *left)
        label, wide, narrow = f"{self.label}  ", f"{_bar(done, 20)} ", f"{_bar(done, 10)} "
        if columns is None:
            return wide + long
        choices = [head + long for head in (label + wide, label + narrow, wide, narrow, "")]
        choices.append(numbers(" ", f"{iteration:,}", 1, *pace, *left))
        choices.append(numbers(" ", f"{iteration:,}", 1, *left))
        return next((text for text in choices if len(text) <= columns), choices[-1][:columns])

    def close(self):
        """Finish the bar's line and close the log."""
        self._show_pending()
        if self._bar and self._shown is not None:
            bar = self._text(*self._shown, columns=_columns() - 1, ended=True)
            print(f"\r{bar}\033[K", file=sys.stderr)
            self._bar = ""
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.close()
            self._log = None
