"""The site of `tests/vectors/guard.json` in Django, behind the guards for WSGI and ASGI. POLICY and KEY say where."""

import json
import os
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from deputize.guard import asgi as guard_asgi
from deputize.guard.wsgi import GuardMiddleware, guarded_call

settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="only for tests", LOGGING_CONFIG=None
)
RAN: list[dict[str, Any]] = []


def run(request: HttpRequest, *tools: str) -> dict[str, Any]:
    call = guarded_call(getattr(request, "scope", request.META), *tools)
    RAN.append({"tool": call.tool, "arguments": call.arguments})
    return call.arguments


def transfers(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return JsonResponse([], safe=False)
    run(request, "transfer_money")
    return JsonResponse({"sent": json.loads(request.body)["amount"]})  # the body that was verified is there


def payment(request: HttpRequest, account: str) -> HttpResponse:
    return JsonResponse({"paid": run(request, "pay_account")["account"] == account})


def closing(request: HttpRequest, account: str) -> HttpResponse:
    return JsonResponse({"closed": run(request, "close_account")["account"] == account})


def card(request: HttpRequest) -> HttpResponse:
    return JsonResponse(run(request, "open_card", "close_card"))


def transactions(request: HttpRequest) -> HttpResponse:
    return JsonResponse(run(request, "list_transactions"))


def answer(request: HttpRequest) -> Any:
    how = run(request, "answer")["how"]
    if how == "raise":
        raise ValueError("a mistake of the site")
    if how in ("stream", "broken"):
        return StreamingHttpResponse(parts(how == "broken"))
    return HttpResponse("answer", status=int(how))


def parts(broken: bool) -> Iterator[bytes]:
    yield b"one"
    if broken:
        raise ValueError("a mistake of the site")
    yield b"two"


def ran(request: HttpRequest) -> HttpResponse:
    return JsonResponse(RAN, safe=False)


urlpatterns = [
    path("api/transfers", transfers),
    path("api/accounts/<str:account>/payments", payment),
    path("api/accounts/<str:account>", closing),
    path("api/cards", card),
    path("api/transactions", transactions),
    path("api/answers", answer),
    path("ran", ran),
]
asgi = guard_asgi.GuardMiddleware(get_asgi_application(), os.environ["POLICY"], os.environ["KEY"])
app = GuardMiddleware(get_wsgi_application(), os.environ["POLICY"], os.environ["KEY"])
