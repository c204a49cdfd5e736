"""Errors a person can act on: each message names the file, row or key and says what to do.

Only exception classes belong here.
"""


class QaError(Exception):
    """Base of every error that is the user's to mend; the command line prints it as one sentence."""


class ConfigError(QaError):
    """A configuration file is missing, unreadable or says something that cannot be."""


class HomeError(QaError):
    """The home folder, or one of the folders in it, cannot be used."""


class LandingFileError(QaError):
    """One landed file cannot be read; it is quarantined whole and the night goes on.

    `rows` are the file's rows, 0 when they could not be counted.
    """

    def __init__(self, rule_id: str, message: str, *, rows: int = 0) -> None:
        super().__init__(message)
        self.rule_id = rule_id
        self.rows = rows


class MappingError(QaError):
    """A mapping file, or the source it is applied to, does not fit the contract."""


class WarehouseError(QaError):
    """The working or the published warehouse cannot be used as asked."""


class UsageError(QaError):
    """A command was called with an argument that cannot be."""
