"""The socket that a server of ours listens on, and how many connections it may have."""

import socket
from contextlib import suppress

from deputize.cli.out import UNUSABLE, fail

_MOST = 8192  # files, half of them connections: more than one process can answer
_FEWEST = 16


def listen(host: str, port: int) -> socket.socket:
    """Listen, or end the command."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else answers wait 40 ms for an ACK
    except OSError as error:
        fail(f"cannot listen on {host} port {port}: {error.strerror}", UNUSABLE)
    return listener


def connections(files: int = 2) -> int:
    """Return how many connections there may be at a time, each of which needs so many open files."""
    return max(_FEWEST, _open_files() // files)


def _open_files() -> int:
    """Return how many files this process may have open, after asking for as many as it may ask for."""
    try:
        import resource  # not on Windows
    except ImportError:
        return _FEWEST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(_MOST, hard) if hard != resource.RLIM_INFINITY else _MOST
    if soft == resource.RLIM_INFINITY or soft >= most:
        return most
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft
