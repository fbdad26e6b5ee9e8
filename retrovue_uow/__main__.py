"""The console script `retrovue-uow`, also as `python -m retrovue_uow`."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from typing import NoReturn

_UNCOLLECTED = 50_000


def main() -> None:
    """Run the command line; say what to install where its extra is not there."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115  closed by `<&-`, which leaves nobody to ask
    sys.stdout, sys.stderr = (each or open(os.devnull, "w") for each in (sys.stdout, sys.stderr))  # noqa: SIM115  closed by `>&-`
    gc.set_threshold(_UNCOLLECTED)  # importing and ending take a quarter longer where the collector walks every module
    try:
        from retrovue_uow.cli.app import app
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.stderr.write("retrovue-uow needs its command line extra: pip install 'retrovue_uow[cli]'\n")
        sys.exit(1)
    except OSError as error:
        sys.stderr.write(f"error: retrovue-uow cannot be loaded: {error.strerror}\n")
        sys.exit(3)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 must not end in a traceback
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored, and means it
            signal.signal(number, _interrupt)
    try:
        app.main()
    finally:
        gc.freeze()


def _interrupt(number: int, _frame: object) -> NoReturn:
    """End as Ctrl-C does: what is under way is rolled back, and what was started for it is ended."""
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    main()
