"""Progress of a training job: a bar in place on a terminal, whole lines elsewhere."""

import contextlib
import sys
import time
from pathlib import Path

from double_pinn.errors import DataError

_BLOCKS = " ▏▎▍▌▋▊▉█"
_WIDTH = 20


def _bar(fraction: float) -> str:
    eighths = round(max(0.0, min(1.0, fraction)) * _WIDTH * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(_WIDTH)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


class Progress:
    """Shows iteration, loss, test loss, iterations per second and time left.

    On a terminal of its own the bar is redrawn in place; elsewhere, a line is written every
    ``interval`` seconds. The log file always gets whole lines.
    """

    def __init__(self, label: str, total: int, *, log: Path | None = None, interval: float = 10.0):
        """Open the log, if there is one, for appending: a resumed job continues its log.

        Raises:
            DataError: if the log cannot be opened.
        """
        self.label, self.total, self.interval = label, total, interval
        self._in_place = sys.stderr.isatty() and log is None
        self._log = None
        if log is not None:
            try:
                Path(log).parent.mkdir(parents=True, exist_ok=True)
                self._log = open(log, "a", encoding="utf-8")  # noqa: SIM115 - closed in close()
            except OSError as error:
                raise DataError(f"{log}: the log cannot be opened: {error.strerror}") from None
        self._last = -float("inf")
        self._marks: list[tuple[float, int]] = []

    def say(self, message: str):
        """Write a line to the terminal and the log."""
        if self._in_place:
            print("\r\033[K", end="", file=sys.stderr)
        line = f"{self.label}  {message}"
        print(line, file=sys.stderr, flush=True)
        if self._log is not None:
            self._to_log(line)

    def _to_log(self, line: str):
        try:
            print(line, file=self._log, flush=True)
        except OSError as error:
            # The training is worth more than its log.
            log, self._log = self._log, None
            with contextlib.suppress(OSError):
                log.close()
            self.say(f"{log.name}: the log cannot be written any more: {error.strerror}")

    def update(self, iteration: int, loss: float, test_loss: float | None, *, force=False):
        """Report where training stands; cheap enough for every call of the loop."""
        now = time.monotonic()
        self._marks.append((now, iteration))
        while len(self._marks) > 2 and now - self._marks[0][0] > 30:
            self._marks.pop(0)
        if not force and now - self._last < (0.2 if self._in_place else self.interval):
            return
        self._last = now
        (t0, i0), (t1, i1) = self._marks[0], self._marks[-1]
        rate = (i1 - i0) / (t1 - t0) if i1 > i0 and t1 > t0 else 0.0
        left = _clock((self.total - iteration) / rate) if rate else "--:--"
        test = "" if test_loss is None else f"  test {test_loss:.2e}"
        text = (
            f"{_bar(iteration / self.total)} {100 * iteration / self.total:3.0f} % "
            f"{iteration:,}/{self.total:,}  loss {loss:.2e}{test}  {rate:.3g} it/s  left {left}"
        )
        if self._in_place:
            print(f"\r\033[K{self.label}  {text}", end="", file=sys.stderr, flush=True)
        else:
            self.say(text)

    def close(self):
        """Finish the bar's line and close the log."""
        if self._in_place:
            print(file=sys.stderr)
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.close()
            self._log = None
