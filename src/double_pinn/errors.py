"""The errors that a user can do something about."""


class UserError(Exception):
    """Bad input or environment; the message names the key or file and says what to do.

    The command line prints the message alone, without a traceback, and exits with status 2.
    """


class SettingsError(UserError):
    """A setting that is unknown, missing or out of range."""


class DataError(UserError):
    """A file that is missing, truncated, or does not hold what it should."""


class DeviceError(UserError):
    """A requested device that is not there."""


class TrainingInterruptedError(Exception):
    """Training that a signal stopped, after its state was saved."""
