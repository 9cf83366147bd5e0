"""The conformance suite under the frameworks of Node, each with its router and server (GUARD-1, ENDPOINT-1)."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conformance import CASES, VECTORS, Guarded, StubAuthority, keyfile

JS = Path(__file__).parent.parent.parent / "js"


@pytest.fixture(scope="module", params=["express", "fastify", "hono"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    key = json.loads(keyfile(tmp_path_factory.mktemp(request.param)).read_text())
    schemas = {name: tool["input_schema"] for name, tool in VECTORS["tools"].items()}
    endpoints = {name: tool["endpoint"] for name, tool in VECTORS["tools"].items()}
    with StubAuthority().serving() as authority:
        options = {"issuer": authority.issuer, "audience": VECTORS["audience"], "key": key}
        given = json.dumps({**options, "schemas": schemas, "endpoints": endpoints})
        command = ["node", "interop/frameworks.js", request.param, given]
        with subprocess.Popen(command, cwd=JS, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                yield Guarded(json.loads(process.stdout.readline())["port"], authority)
            finally:
                process.kill()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_framework_does_what_the_vectors_say(guarded: Guarded, case: dict[str, Any]) -> None:
    guarded.play(case)
