"""The machine: its cores, what it is called, and who else works on it."""

import multiprocessing
import os
import platform
import sqlite3
import ssl
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def cores() -> tuple[int, int]:
    """Return a core for the server and one for the client: two where there are two."""
    usable = sorted(_usable())
    return usable[-1], usable[0]


def pin(core: int) -> None:
    """Keep this process, and all threads that it starts, on one core, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def apart(work: Callable[..., T], *given: object) -> T:
    """Do this on the server's core, in a process of its own, and return what it returns; EOFError if it fails."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_tell, args=(theirs, work, given), daemon=True
    )
    process.start()
    theirs.close()
    told: T = ours.recv()
    process.join()
    return told


def _tell(pipe: Connection, work: Callable[..., object], given: tuple[object, ...]) -> None:
    pin(cores()[0])
    pipe.send(work(*given))


def described() -> dict[str, str | int | float]:
    """Say what the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": len(_usable()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "openssl": ssl.OPENSSL_VERSION,
        "load": round(os.getloadavg()[0], 2),
    }


def busy() -> float:
    """Return the processor seconds that the whole machine has worked since its start; 0 where it does not tell."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    except OSError:
        return 0.0
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")


def _usable() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
