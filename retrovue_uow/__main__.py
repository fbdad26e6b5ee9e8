"""The console script `retrovue-uow`, also as `python -m retrovue_uow`."""

from __future__ import annotations

import io
import sys

_EXTRA = frozenset({"typer", "click", "rich"})


def main() -> None:
    """Run the command line; say what to install where its extra is not there."""
    try:
        import rich  # noqa: F401  the commands need it only later, and should not start without it

        from retrovue_uow.cli import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write("retrovue-uow needs its command line extra: pip install 'retrovue_uow[cli]'\n")
        sys.exit(1)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 must not end in a traceback
    app(prog_name="retrovue-uow")


if __name__ == "__main__":
    main()
