"""docs/guard-python.md: what it has for each framework runs, and guards (GUARD-1)."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from deputize.crypto import jwt

from .conformance import GUARD_KEY, Guarded, StubAuthority, keyfile

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/guard-python.md").read_text()
SERVERS = {
    "Flask": "gunicorn",
    "Django under ASGI": "uvicorn",
    "FastAPI": "uvicorn",
    "Starlette": "uvicorn",
}
TRANSFER: dict[str, Any] = {"account": "DE 1", "amount": 250, "name": "Ada"}
TARGET = "/api/accounts/DE%201/transfers"


@contextmanager
def as_the_page_has_it(folder: Path, authority: StubAuthority, framework: str) -> Iterator[Guarded]:
    """Run what the page has for a framework, with its policy, for this authority and this key."""
    policy = PAGE.split("```toml\n")[1].split("```")[0]
    for coordinate, value in jwt.jwk_of(GUARD_KEY.public_key()).items():
        policy = policy.replace(f'{coordinate} = "…"', f'{coordinate} = "{value}"')
    origin = '"http://localhost:8000"\n'
    (folder / "deputize.toml").write_text(policy.replace(origin, f'{origin}issuer = "{authority.issuer}"\n'))
    keyfile(folder)
    block = re.search(rf"^\*\*{framework}\*\*.*?```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    (folder / "module.py").write_text(block[1])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", server := SERVERS[framework], "module:app", "--log-level", "error"]
        fd = str(listener.fileno())
        command += ["--fd", fd] if server == "uvicorn" else ["--bind", f"fd://{fd}", "--no-control-socket"]
        path = os.pathsep.join([str(ROOT / "server"), str(folder)])
        environ = os.environ | {"PYTHONPATH": path}
        with subprocess.Popen(command, cwd=folder, env=environ, pass_fds=[listener.fileno()]) as process:
            try:
                yield Guarded(listener.getsockname()[1], authority)
            finally:
                process.terminate()


@pytest.mark.parametrize("framework", SERVERS)
def test_the_page_for_it_runs(framework: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        authority = stack.enter_context(StubAuthority().serving())
        site = stack.enter_context(as_the_page_has_it(tmp_path, authority, framework))
        body = json.dumps({"amount": 250, "name": "Ada"})
        headers = {"Content-Type": "application/json"}
        request = {"method": "POST", "target": TARGET, "headers": headers, "body": body}
        status, answer = site.send(request, [])
        assert (status, json.loads(answer)["code"]) == (401, "missing_call_token")
        token = authority.token({"tool": "transfer_money", "arguments": TRANSFER})
        status, answer = site.send(request, [token])
        assert (status, json.loads(answer)) == (200, {"sent": 250, "from": "DE 1"})
        assert authority.outcomes.get(timeout=10) == "succeeded"
        status, answer = site.send(request, [token])
        assert (status, json.loads(answer)["code"]) == (409, "call_redeemed")
