"""A server that forks once the app is built (gunicorn --preload) says what to do, where writes would wait for ever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.bank import POLICY

PROGRAM = """
import asyncio, os, sys
import httpx2
from deputize import settings
from deputize.app import Deputize
from deputize.protocol.errors import Refused

authority = Deputize(settings.load("deputize.toml"), "var")

async def ask():
    transport = httpx2.ASGITransport(authority)
    async with httpx2.AsyncClient(transport=transport, base_url="https://bank.example") as http:
        for request in (("GET", "/readyz"), ("GET", "/tools"), ("POST", "/mcp"), ("POST", "/account/sign-in")):
            answer = await http.request(*request, headers={"content-type": "application/json"}, content=b"{}")
            print(answer.status_code, answer.json()["code"] if answer.status_code == 503 else "")
    try:
        authority.policy
        print("policy")
    except Refused as refused:
        print(refused.refusal.code)
    try:
        async with authority.lifespan():
            print("started")
    except RuntimeError as error:
        print(error)

if sys.argv[1] == "forked" and (child := os.fork()):
    os.waitpid(child, 0)
else:
    asyncio.run(ask())
    sys.stdout.flush()
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("how", ["forked", "not"])
def test_a_forked_process_refuses_with_the_cure(tmp_path: Path, how: str) -> None:
    (tmp_path / "deputize.toml").write_text(POLICY)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said = ran.stdout.splitlines()
    if how == "forked":
        assert said[:4] == ["503 record_unavailable"] * 4
        assert said[4] == "record_unavailable"
        assert said[5].endswith("start gunicorn without --preload.")
    else:
        assert [line.split()[0] for line in said[:4]] == ["200", "200", "400", "200"]
        assert said[4:] == ["policy", "started"]
