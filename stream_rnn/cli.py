"""The command line. Each command imports what it needs when it runs: `--help` is instant."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from stream_rnn import __version__
from stream_rnn.commands import bench, inspect, runs, sample, score, serve, train
from stream_rnn.errors import ConfigError, StreamRnnError

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except ConfigError as error:
        return _complain(error, USAGE)
    except StreamRnnError as error:
        return _complain(error, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain of stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk, a folder that may not be written
        return _complain(error, FAILED)
    return DONE


def entry() -> None:
    """What the installed `stream-rnn` runs."""
    if sys.platform == "win32":
        from stream_rnn.system import utf8_output

        utf8_output()
    sys.exit(main())


def _complain(error: Exception, code: int) -> int:
    print(f"stream-rnn: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stream-rnn",
        description="Keeps recurrent networks in mid-sentence, and performs with them.",
    )
    parser.add_argument("--version", action="version", version=f"stream-rnn {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, text: str, run: Callable[[Any], None]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    for module in (serve, sample, train, score, runs, inspect, bench):
        module.add(command)
    return parser
