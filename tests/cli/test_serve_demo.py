"""`deputize demo --serve`: Harbor for a person, served as `deputize serve` serves."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def demo(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve, and yield what it says first."""
    command = [sys.executable, "-m", "deputize", "demo", "--serve", "--port", str(port), "--data", "var"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield process, process.stderr.readline()
        finally:
            process.terminate()
            process.wait(20)


def test_door_6_it_is_served_with_the_same_times_and_caps(tmp_path: Path) -> None:
    port = a_free_port()
    with demo(tmp_path, port) as (process, said):
        assert said == f"Harbor is open at http://localhost:{port}, and keeps everything under var.\n"
        assert httpx2.get(f"http://localhost:{port}/deputize/readyz").text == "ready\n"
        with socket.create_connection(("localhost", port), timeout=20) as endless:
            with suppress(ConnectionError):
                endless.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * 200_000)  # a head without end
            with suppress(ConnectionError):
                assert endless.recv(1) == b""
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("lost", "what"),
    [
        ("deputize.db", "var/deputize.db is missing, and keys.json beside it says that there was one"),
        ("keys.json", "var/keys.json is missing, and the record that it signed is in use"),
    ],
)
def test_ready_4_what_is_lost_is_said_with_what_can_be_done_here(
    tmp_path: Path, lost: str, what: str
) -> None:
    port = a_free_port()
    with demo(tmp_path, port) as (_, said):
        assert said.startswith("Harbor is open")
        httpx2.get(f"http://localhost:{port}/deputize/log/checkpoint")
    for path in (tmp_path / "var").glob(f"{lost}*"):
        path.unlink()
    with demo(tmp_path, port) as (process, said):
        assert said == f"deputize: {what}: bring it back from a backup, or name another folder by --data.\n"
        assert process.wait(20) == 2


def test_a_port_or_a_policy_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    port = a_free_port()
    with demo(tmp_path, port) as (_, said):
        assert said.startswith("Harbor is open")
        with demo(tmp_path, port) as (second, said):
            assert said.startswith(f"deputize: cannot listen on localhost port {port}: ")
            assert second.wait(20) == 2
    with demo(tmp_path, a_free_port()) as (other, said):
        assert said.startswith(f"deputize: var/deputize.toml is for http://localhost:{port}: serve that port")
        assert other.wait(20) == 1
