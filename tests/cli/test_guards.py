"""`deputize check --app`: what stands in front of the routes of a site's app (GUARD-8)."""

from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner, Result

from deputize.cli import app

POLICY = """
[site]
name = "Bank"
origin = "http://localhost:8000"
[scopes."payments:write"]
title = "Send money"
[tools.transfer_money]
scopes = ["payments:write"]
[tools.order_card]
scopes = ["payments:write"]
[tools.print_receipt]
scopes = ["payments:write"]
elsewhere = true
[tools.pin_note]
scopes = ["payments:write"]
executes = "page"
"""
SITE = """
import deputize
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

authority = deputize.Deputize("deputize.toml", data="var")

@authority.guard.tool("transfer_money")
async def transfer(request):
    return Response()

@authority.handler("order_card")
def order(arguments, call):
    return "ordered"

async def bare(request):
    return Response()

routes = [
    *authority.well_known_routes(),
    Mount("/deputize", authority),
    Route("/api/transfers", transfer, methods=["POST"]),
]
app = deputize.LocalhostRedirect(Starlette(routes=routes, lifespan=authority.lifespan))
"""
API = """
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from fastapi import Depends, FastAPI
from deputize.guard import Guard, HttpRedeemer

redeemer = HttpRedeemer("http://localhost:8000/deputize", generate_private_key(SECP256R1()))
guard = Guard("http://localhost:8000/deputize", "http://localhost:8000", redeemer.key_of, redeemer)
app = FastAPI(lifespan=guard.lifespan)

@app.post("/receipts")
def receipts(call = Depends(guard("print_receipt"))): ...
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    Path("deputize.toml").write_text(POLICY)


def check(name: str, text: str) -> Result:
    """Check the app of a module of this name."""
    Path(f"{name}.py").write_text(dedent(text))
    return CliRunner().invoke(app, ["check", "--app", f"{name}:app"])


def rows(result: Result) -> list[str]:
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_each_tool_of_the_api_is_listed_with_what_guards_it() -> None:
    result = check("guarded_site", SITE)
    assert result.exit_code == 0, result.output
    table = rows(result)[rows(result).index("tool guard in front of") :]
    assert table == [
        "tool guard in front of",
        "transfer_money decorator POST /api/transfers",
        "order_card handler",
        "print_receipt elsewhere",
    ]


def test_a_tool_without_a_guard_is_a_fault() -> None:
    result = check("bare_site", SITE.replace('"/api/transfers", transfer', '"/api/transfers", bare'))
    assert result.exit_code == 1
    assert "bare_site:app: transfer_money: transfer is guarded, and no route" in result.stdout
    assert not Path("var/deputize.db-wal").exists()  # it closed what the site opened (READY-5)


def test_a_misspelt_tool_is_a_fault() -> None:
    result = check("misspelt_site", SITE.replace('tool("transfer_money")', 'tool("tranfer_money")'))
    assert result.exit_code == 1
    assert "Did you mean 'transfer_money'?" in result.stderr


def test_an_api_of_its_own_is_looked_over_as_well() -> None:
    result = check("own_api", API)
    assert result.exit_code == 0, result.output
    assert "print_receipt dependency POST /receipts" in rows(result)
    result = check("misspelt_api", API.replace('"print_receipt"', '"print_reciept"'))
    assert result.exit_code == 1
    assert "guards for print_reciept, and the policy declares no such tool" in result.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from starlette.applications import Starlette\napp = Starlette()", "nothing to look at"),
        ("other = 1", 'Attribute "app" not found'),
        ("raise OSError('no database')", "cannot be imported: OSError: no database"),
    ],
)
def test_an_app_that_there_is_not_is_told(text: str, told: str) -> None:
    result = check(f"no_site_{len(text)}", text)
    assert result.exit_code != 0
    assert told in result.stderr
    assert CliRunner().invoke(app, ["check", "--app", "not_there:app"]).exit_code == 2
