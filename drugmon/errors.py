"""The one error tree: a message says in one line what is wrong, where, and what to do."""

from __future__ import annotations

from typing import Final

NO_MEMORY: Final = (
    "the memory is used up, or limited (ulimit -v, a container's limit); free some or allow more, "
    "and run again"
)
_SAY_SO: Final = ("allocate memory", "bad_alloc", "STATUS_ALLOC_FAILED", "failed to map segment")
"""Words of torch's CPU allocator, C++, the CUDA libraries and the loader of libraries."""


class DrugmonError(Exception):
    """An expected failure: the CLI prints the message and exits with `exit_code`.

    Example:
        >>> import drugmon
        >>> try:
        ...     drugmon.score("nowhere.csv")
        ... except drugmon.DrugmonError as error:
        ...     print(type(error).__name__, error.exit_code)
        SourceError 1
    """

    exit_code = 1


class UsageError(DrugmonError):
    """The options do not fit together, or name something that cannot be: exit code 2."""

    exit_code = 2


class SourceError(DrugmonError):
    """A source cannot be read as reviews."""


class DamagedError(SourceError):
    """A database file is damaged, or is none."""


class SinkError(DrugmonError):
    """The verdicts cannot be written; the target is as it was."""


class BusyError(DrugmonError):
    """Another process holds the file, table or lock."""


class RunningError(BusyError):
    """The same job is running: exit code 75, which sysexits.h gives to "try again later"."""

    exit_code = 75


class BaseModelError(DrugmonError):
    """A base is missing, damaged, or not what its hash says."""


class AdapterError(DrugmonError):
    """An adapter is missing, damaged, tampered with, or of another format version."""


class SettingsError(DrugmonError):
    """A settings file has an unknown key or a value out of range."""


class RecipeError(SettingsError):
    """A recipe has an unknown key or a value out of range."""


class TrainingDataError(DrugmonError):
    """Training or evaluation data lack labels, or hold values that cannot be labels."""


class DeviceError(DrugmonError):
    """The asked-for device or number format is not to be had."""


class ClusterGoneError(DrugmonError):
    """A Ray cluster that was joined does not answer any more; finished parts are kept."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error, of whichever library, says that the memory is used up."""
    of_a_kind = isinstance(error, MemoryError) or type(error).__name__.startswith("OutOfMemory")
    return of_a_kind or any(words in str(error) for words in _SAY_SO)
