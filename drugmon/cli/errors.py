"""Where errors become one line and an exit code."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from drugmon import signals
from drugmon.cli.output.lines import say
from drugmon.errors import NO_MEMORY, DrugmonError, is_out_of_memory
from drugmon.signals import Terminated, install, passed_on

OK, FAILED, BUG, INTERRUPTED, TERMINATED = 0, 1, 3, 130, 143


def run(command: click.Command) -> int:
    """Run `command` on the arguments of the process and return the exit code.

    0 ok, 1 expected failure, 2 usage, 3 bug (its traceback goes to a file), 130 interrupted, 143
    terminated.
    """
    install()
    open_streams()
    try:
        return _run(command)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted; the same command goes on where this one was", INTERRUPTED)
    except Terminated:
        return _say("terminated; the same command goes on where this one was", TERMINATED)


def _run(command: click.Command) -> int:
    """The same, but for being asked to end."""
    try:
        with passed_on():
            code = command.main(prog_name="drugmon", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has left: nobody is there to be told. (click does the same.)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        signals.check()  # which a library may have made an error of
        return _failure(error)
    return code if isinstance(code, int) else OK


def _failure(error: Exception) -> int:
    if isinstance(error, click.Abort):
        raise error
    if isinstance(error, click.ClickException):
        return _say(f"error: {error.format_message()}{_help_of(error)}", error.exit_code)
    if isinstance(error, DrugmonError):
        return _say(f"error: {error}", error.exit_code)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"error: {where}{error.strerror or error}", FAILED)
    if isinstance(error, UnicodeEncodeError) and _is_undecoded(str(error.object)):
        return _say("error: a name is not UTF-8, which is needed here; rename it", FAILED)
    if is_out_of_memory(error):
        return _say(f"error: {NO_MEMORY}", FAILED)
    kind, log = type(error).__name__, log_bug()
    return _say(f"error: a bug in drugmon ({kind}); the details are in {log}", BUG)


def _is_undecoded(text: str) -> bool:
    """Whether it holds bytes that are no UTF-8, as Python keeps them in names."""
    return any("\udc80" <= character <= "\udcff" for character in text)


def open_streams() -> None:
    """Have all three standard streams open, and able to write any text.

    A stream that was closed would give its number to the next file that is opened, which then
    gets what is printed: it becomes the null device. A terminal or log that knows ASCII only gets
    escapes for what it lacks.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(message: str, code: int) -> int:
    say(f"drugmon: {' '.join(message.split())}", err=True)
    return code


def _help_of(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f" See {context.command_path} --help." if context else ""


def log_bug() -> Path:
    """Keep the traceback where only this user reads it: its values may be review texts."""
    descriptor, name = tempfile.mkstemp(prefix="drugmon-bug-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{sys.argv}\n{traceback.format_exc()}")
    return Path(name)
