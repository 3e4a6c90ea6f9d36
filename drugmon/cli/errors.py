"""Where errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from drugmon.errors import DrugmonError
from drugmon.signals import Terminated, install, passed_on

OK, FAILED, BUG, INTERRUPTED, TERMINATED = 0, 1, 3, 130, 143


def run(command: click.Command) -> int:
    """Run `command` on the arguments of the process and return the exit code.

    0 ok, 1 expected failure, 2 usage, 3 bug (its traceback goes to a file), 130 interrupted, 143
    terminated.
    """
    install()
    try:
        with passed_on():
            code = command.main(prog_name="drugmon", standalone_mode=False)
        if sys.stdout:  # None where it was closed at the start
            sys.stdout.flush()
    except click.ClickException as error:
        return _say(f"error: {error.format_message()}{_help_of(error)}", error.exit_code)
    except DrugmonError as error:
        return _say(f"error: {error}", error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted; the same command goes on where this one was", INTERRUPTED)
    except Terminated:
        return _say("terminated; the same command goes on where this one was", TERMINATED)
    except BrokenPipeError:
        # Whoever read the output has left: nobody is there to be told. (click does the same.)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"error: {where}{error.strerror or error}", FAILED)
    except UnicodeEncodeError as error:
        if not any("\udc80" <= character <= "\udcff" for character in str(error.object)):
            return _bug(error)
        return _say("error: a name is not UTF-8, which is needed here; rename it", FAILED)
    except Exception as error:
        return _bug(error)
    return code if isinstance(code, int) else OK


def _bug(error: Exception) -> int:
    kind, log = type(error).__name__, log_bug()
    return _say(f"error: a bug in drugmon ({kind}); the details are in {log}", BUG)


def _say(message: str, code: int) -> int:
    click.echo(f"drugmon: {' '.join(message.split())}", err=True)
    return code


def _help_of(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f" See {context.command_path} --help." if context else ""


def log_bug() -> Path:
    """Keep the traceback where only this user reads it: its values may be review texts."""
    descriptor, name = tempfile.mkstemp(prefix="drugmon-bug-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8") as log:
        log.write(f"{sys.argv}\n{traceback.format_exc()}")
    return Path(name)
