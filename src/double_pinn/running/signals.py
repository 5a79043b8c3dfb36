"""Signals that ask a training job to stop."""

import signal


class Signals:
    """SIGTERM and SIGINT, noted instead of died of, so the state can be saved first."""

    def __init__(self):
        self.received: str | None = None
        self._old = {}

    def __enter__(self):
        def note(number, frame):
            self.received = signal.Signals(number).name

        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._old[number] = signal.signal(number, note)
        except ValueError:
            pass  # not the main thread: whoever owns it handles signals
        return self

    def __exit__(self, *exc_info):
        for number, handler in self._old.items():
            signal.signal(number, handler)
