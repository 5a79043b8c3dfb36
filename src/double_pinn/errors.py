"""The errors that a user can do something about."""


class UserError(Exception):
    """Bad input or environment; the message names the key or file and says what to do.

    The command line prints the message alone, without a traceback, and exits with status 2.
    """


class SettingsError(UserError):
    """A setting is unknown, missing or out of range."""


class DataError(UserError):
    """A file is missing, truncated, or does not hold what it should."""


class DeviceError(UserError):
    """The requested device is not there."""


class TrainingInterruptedError(Exception):
    """Training was stopped by a signal after its state was saved."""
