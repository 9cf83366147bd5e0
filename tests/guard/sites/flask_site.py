"""The site of `tests/vectors/guard.json` in Flask, behind the WSGI guard. POLICY and KEY say where these are."""

import os
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, jsonify, request

from deputize.guard.wsgi import GuardMiddleware, guarded_call

app = Flask(__name__)
RAN: list[dict[str, Any]] = []


def run(*tools: str) -> dict[str, Any]:
    call = guarded_call(request.environ, *tools)
    RAN.append({"tool": call.tool, "arguments": call.arguments})
    return call.arguments


@app.post("/api/transfers")
def transfer() -> Any:
    run("transfer_money")
    return {"sent": request.get_json()["amount"]}  # the body that was verified is there to be read


@app.get("/api/transfers")
def transfers() -> Any:
    return []


@app.post("/api/accounts/<account>/payments")
def payment(account: str) -> Any:
    return {"paid": run("pay_account")["account"] == account}


@app.delete("/api/accounts/<account>")
def closing(account: str) -> Any:
    return {"closed": run("close_account")["account"] == account}


@app.post("/api/cards")
def card() -> Any:
    return run("open_card", "close_card")


@app.get("/api/transactions")
def transactions() -> Any:
    return run("list_transactions")


@app.post("/api/answers")
def answer() -> Any:
    how = run("answer")["how"]
    if how == "raise":
        raise ValueError("a mistake of the site")
    if how in ("stream", "broken"):
        return Response(parts(how == "broken"))
    return Response("answer", int(how))


def parts(broken: bool) -> Iterator[bytes]:
    yield b"one"
    if broken:
        raise ValueError("a mistake of the site")
    yield b"two"


@app.get("/ran")
def ran() -> Any:
    return jsonify(RAN)


app.wsgi_app = GuardMiddleware(app.wsgi_app, os.environ["POLICY"], os.environ["KEY"])  # type: ignore[method-assign] # as Flask has it
