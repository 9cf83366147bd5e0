"""`deputize serve` is the authority alone, over real sockets."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "deputize", "init"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve on a free port; what is yielded is the process and the URL of the authority."""
    command = [sys.executable, "-m", "deputize", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        try:
            assert said.startswith("http://localhost:8000/deputize answers on 127.0.0.1 port "), said
            port = said.split()[-1].rstrip(".")
            yield process, f"http://localhost:{port}/deputize"
        finally:
            process.terminate()
            process.wait(10)


def test_serve_answers_until_it_is_interrupted(
    server: tuple[subprocess.Popen[str], str], folder: Path
) -> None:
    process, url = server
    tools = httpx2.get(f"{url}/tools")
    assert tools.status_code == 200
    assert set(tools.json()["tools"]) == {"search_help", "get_balance", "transfer_money"}
    assert "server" not in tools.headers
    assert (folder / "var" / "deputize.db").exists()
    process.send_signal(signal.SIGINT)
    process.wait(10)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_a_change_of_the_policy_bites_while_it_runs(
    server: tuple[subprocess.Popen[str], str], folder: Path
) -> None:  # POLICY-1, POLICY-2
    process, url = server
    path = folder / "deputize.toml"
    good = path.read_text()

    def names() -> list[str]:
        return sorted(httpx2.get(f"{url}/tools").json()["tools"])

    before = names()
    path.write_text(good.replace("[tools.search_help]", "[tools.find_help]"))
    assert names() == ["find_help", "get_balance", "transfer_money"]
    path.write_text(good + "[nonsense")
    assert names() == ["find_help", "get_balance", "transfer_money"]
    assert "fault" in httpx2.get(f"{url}/readyz").text
    (folder / "new").write_text(good)
    (folder / "new").replace(path)
    assert names() == before
    assert httpx2.get(f"{url}/readyz").text == "ready\n"
    process.terminate()
    assert process.stderr is not None
    told = [json.loads(line) for line in process.stderr.read().splitlines() if '"event":"policy"' in line]
    assert [line["level"] for line in told] == ["info", "error", "info"]


def test_what_a_proxy_says_is_not_believed(server: tuple[subprocess.Popen[str], str]) -> None:
    _, url = server
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-For": "1.2.3.4",
    }
    assert "evil" not in httpx2.get(f"{url}/tools", headers=forwarded).text


def test_a_port_that_is_taken_is_said_in_one_line_before_anything_is_made(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "deputize", "serve", "--port", port]
        told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert told.stderr.startswith(f"deputize: cannot listen on 127.0.0.1 port {port}: Address already in use")
    assert not (folder / "var").exists()


@pytest.fixture
def of_one_person(folder: Path) -> Path:
    with (folder / "deputize.toml").open("a") as policy:
        policy.write('\n[mcp]\nsingle_user = "ada"\n')
    return folder


def test_the_one_user_of_a_machine_is_not_served_to_others(of_one_person: Path) -> None:  # MCP-4
    command = [sys.executable, "-m", "deputize", "serve", "--port", "0", "--host", "0.0.0.0"]  # noqa: S104 it is refused
    told = subprocess.run(command, cwd=of_one_person, capture_output=True, text=True, check=False, timeout=60)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert "single_user, so this serves one person on this machine, and 0.0.0.0 lets others in" in told.stderr
    assert not (of_one_person / "var").exists()


def test_the_one_user_of_a_machine_is_served_on_it(of_one_person: Path) -> None:  # MCP-4
    command = [sys.executable, "-m", "deputize", "serve", "--port", "0", "--host", "localhost"]
    with subprocess.Popen(command, cwd=of_one_person, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.terminate()
        assert "answers on localhost port" in said
