"""Harbor's API. Every route acts on an account, every one is guarded, and there is no other way in.

Whose account it is, and with what, comes from the call that the guard has admitted, and from nowhere else:
the arguments are those that the policy's schema has accepted and, for a transfer, the customer approved.
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
    """Answer 422 in the bank's own words where the bank says no; the guard reports that as failed."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BankError as error:
            return JSONResponse({"detail": str(error)}, 422)

    return answer


def told_account(account: Account) -> dict[str, object]:
    """Tell of an account; amounts are in euros, with two digits after the point at most."""
    return {
        "iban": account.iban,
        "balance": account.balance / 100,
        "currency": "EUR",
        "closed": account.closed_at is not None,
    }


def told_transaction(transaction: Transaction) -> dict[str, object]:
    """Tell of a transaction; what went out is negative."""
    return {
        "id": transaction.id,
        "date": datetime.fromtimestamp(transaction.at, UTC).date().isoformat(),
        "amount": transaction.amount / 100,
        "currency": "EUR",
        "name": transaction.name,
        "iban": transaction.iban,
    }
