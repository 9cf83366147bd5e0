"""Harbor's API. Every route acts on an account, every one is guarded, and there is no other way in.

The account and the arguments are those of the call that the guard has admitted: the policy's schema has accepted them
and, for a transfer, the customer has approved them.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from deputize import Deputize

from .bank import Account, Bank, BankError, Transaction, cents

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(bank: Bank, deputize: Deputize) -> list[BaseRoute]:
    """Return the API's routes."""

    @deputize.guard.tool("get_balance")
    @explained
    async def balance(request: Request) -> Response:
        call = request.state.deputize
        return JSONResponse(told_account(bank.account(call.user_id)))

    @deputize.guard.tool("list_transactions")
    @explained
    async def transactions(request: Request) -> Response:
        call = request.state.deputize
        found = bank.transactions(call.user_id, call.arguments.get("limit", 20))
        return JSONResponse({"transactions": [told_transaction(each) for each in found]})

    @deputize.guard.tool("transfer_money")
    @explained
    async def transfer(request: Request) -> Response:
        call = request.state.deputize
        order = call.arguments
        sent = bank.transfer(call.user_id, cents(order["amount"]), order["iban"], order["name"])
        account = told_account(bank.account(call.user_id))
        return JSONResponse({**account, "transaction": told_transaction(sent)}, 201)

    @deputize.guard.tool("close_account")
    @explained
    async def close_account(request: Request) -> Response:
        call = request.state.deputize
        return JSONResponse(told_account(bank.close_account(call.user_id)))

    return [
        Route("/api/balance", balance, methods=["GET"]),
        Route("/api/transactions", transactions, methods=["GET"]),
        Route("/api/transfers", transfer, methods=["POST"]),
        Route("/api/close-account", close_account, methods=["POST"]),
    ]


def explained(endpoint: Endpoint) -> Endpoint:
    """Answer a BankError with 422 and its text; the guard reports the call as failed."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BankError as error:
            return JSONResponse({"detail": str(error)}, 422)

    return answer


def told_account(account: Account) -> dict[str, object]:
    """Return an account as JSON has it; amounts are in euros, with two digits after the point at most."""
    return {
        "iban": account.iban,
        "balance": account.balance / 100,
        "currency": "EUR",
        "closed": account.closed_at is not None,
    }


def told_transaction(transaction: Transaction) -> dict[str, object]:
    """Return a transaction as JSON has it; what went out is negative."""
    return {
        "id": transaction.id,
        "date": datetime.fromtimestamp(transaction.at, UTC).date().isoformat(),
        "amount": transaction.amount / 100,
        "currency": "EUR",
        "name": transaction.name,
        "iban": transaction.iban,
    }
