"""The conformance suite in front of `net/http`: `examples/go-guard`, written from PROTOCOL.md and the vectors."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from ..golang import ROOT, go, needs_go
from .conformance import CASES, VECTORS, Guarded, StubAuthority, keyfile

pytestmark = needs_go
EXAMPLE = ROOT / "examples" / "go-guard"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("go")
    go(EXAMPLE, "build", "-o", f"{folder}/", "./conformance")
    options: dict[str, Any] = {
        "audience": VECTORS["audience"],
        "key": json.loads(keyfile(folder).read_text()),
    }
    options["schemas"] = {name: tool["input_schema"] for name, tool in VECTORS["tools"].items()}
    options["endpoints"] = {name: tool["endpoint"] for name, tool in VECTORS["tools"].items()}
    with StubAuthority().serving() as authority:
        command = [str(folder / "conformance"), json.dumps(options | {"issuer": authority.issuer})]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                yield Guarded(json.loads(process.stdout.readline())["port"], authority)
            finally:
                process.kill()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_guard_in_go_does_what_the_vectors_say(guarded: Guarded, case: dict[str, Any]) -> None:
    guarded.play(case)


def test_the_guard_in_go_reads_json_as_the_vectors_say_and_bodies_in_one_way() -> None:
    go(EXAMPLE, "vet", "./...")
    go(EXAMPLE, "test", "-count=1", "./...")
