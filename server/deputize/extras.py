"""What comes with which extra, said where something is missing: `pip install 'deputize[server]'`."""

from collections.abc import Iterator
from contextlib import contextmanager


class NotInstalled(ImportError):
    """A package is missing that comes with an extra. The message names both, and how to install them."""


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Import what comes with an extra; `NotInstalled` where it is not there.

    Of several around each other the outermost is named: it is what was asked for.
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
