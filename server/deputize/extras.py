"""Errors for missing packages that name the extra to install: `pip install 'deputize[server]'`."""

from collections.abc import Iterator
from contextlib import contextmanager


class NotInstalled(ImportError):
    """A package is missing that comes with an extra. The message names both, and how to install them."""


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Import, in the block, what comes with an extra; NotInstalled if a package of it is missing.

    If such blocks are nested, the error names the outermost extra, which is the one that was asked for.
    """
    try:
        yield
    except NotInstalled as error:
        raise NotInstalled(_said(error.name, extra), name=error.name) from error
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "deputize":
            raise
        raise NotInstalled(_said(error.name, extra), name=error.name) from error


def _said(name: str | None, extra: str) -> str:
    return f"this needs {name}, which comes with: pip install 'deputize[{extra}]'"
