"""`/log/…` over HTTP (PROOF-4, LOG-8): entries are for those only whom the policy names, and as far as it goes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from tests.bank import ISSUER, POLICY, Bank, found, opened

from deputize import settings
from deputize.cli import key_file
from deputize.crypto import dpop
from deputize.protocol.tiles import read_bundle

pytestmark = pytest.mark.anyio

KEY = generate_private_key(SECP256R1())


@pytest.fixture
async def audited(tmp_path: Path) -> AsyncIterator[Bank]:
    """A bank with one user, whose sign-up is the whole record, and an auditor."""
    policy = settings.loads(f"{POLICY}[record]\nreaders = [{key_file.public_half(KEY)}]\n".encode())
    async with opened(policy, found(tmp_path / "var")) as bank:
        assert (await bank.page().sign_up()).status_code == 200
        yield bank


async def read(bank: Bank, path: str, key: EllipticCurvePrivateKey = KEY, **made: object) -> httpx2.Response:
    url = f"{ISSUER}/log/tile/entries/{path}"
    proof = dpop.make(key, "GET", url, int(bank.clock()), **made)  # type: ignore[arg-type]  # claims are text
    return await bank.client().get(url, headers={"deputize-reader": proof})


async def test_who_is_named_reads_entries_once_with_each_proof(audited: Bank) -> None:
    size = len(audited.entries())
    answer = await read(audited, f"000.p/{size}", jti="one")
    assert [json.loads(entry) for entry in read_bundle(answer.content)] == audited.entries()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "public" not in answer.headers["cache-control"]
    again = await read(audited, f"000.p/{size}", jti="one")
    assert (again.status_code, again.json()["code"]) == (401, "invalid_dpop_proof")
    first = await read(audited, "000.p/1")
    assert read_bundle(first.content) == read_bundle(answer.content)[:1]


async def test_what_is_not_there_is_not_found(audited: Bank) -> None:
    for path in (f"000.p/{len(audited.entries()) + 1}", "000", "001.p/1", "0/000.p/1", "000.p/01", "000.p/0"):
        answer = await read(audited, path)
        assert (path, answer.status_code) == (path, 404)


async def test_nobody_else_does(audited: Bank) -> None:
    other = await read(audited, "000.p/1", generate_private_key(SECP256R1()))
    assert (other.status_code, other.json()["code"]) == (403, "reader_not_allowed")
    bare = await audited.client().get(f"{ISSUER}/log/tile/entries/000.p/1")
    assert (bare.status_code, bare.json()["code"]) == (401, "invalid_dpop_proof")
