"""What a policy file means."""

import re
from dataclasses import replace
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path

import pytest

from deputize.protocol.agent import Ceiling
from deputize.protocol.canonical import Json, s256
from deputize.protocol.client import AuthMethod
from deputize.protocol.credential import AuthenticatorClass
from deputize.protocol.description import Row
from deputize.protocol.ids import ClientId
from deputize.protocol.jwk import Key
from deputize.protocol.login import OpenId, SiteLogin, Tickets
from deputize.protocol.look import Look
from deputize.protocol.policy import Api, Policy, Record, Site, Witness
from deputize.protocol.quota import Quotas, Rate
from deputize.protocol.retention import DAY, Retention
from deputize.protocol.scope import Scope, ScopeSet
from deputize.protocol.tool import Executes, Tool
from deputize.settings import load, loads

SITE = '[site]\nname = "Harbor"\norigin = "https://www.harbor.example"\n'
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def test_a_site_and_nothing_else_is_a_policy() -> None:
    origin = "https://www.harbor.example"
    assert replace(loads(SITE.encode()), file_s256=None) == Policy(
        Site("Harbor", origin, origin + "/deputize", "www.harbor.example"),
        Api(origin, (origin,)),
        {},
        {},
        Ceiling(ScopeSet()),
        grant_lifetime=3600,
        grant_max_lifetime=30 * 86400,
        session_lifetime=12 * 3600,
        wait=20,
    )


def test_everything_that_a_file_may_say_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deputize.toml"
    path.write_text(
        SITE
        + """
issuer = "https://auth.harbor.example:8443"
rp_id = "harbor.example"
trusted_proxies = ["10.0.0.0/8", "fd00::1"]
[api]
audience = "urn:harbor"
origins = ["https://api.harbor.example"]
[[api.keys]]
kid = "one"
kty = "EC"
crv = "P-256"
x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
[scopes."account:read"]
title = "See your accounts"
writes = false
[scopes.pay]
title = "Send money"
[tools.help]
public = true
[tools.transfer]
title = "Send money"
scopes = ["pay", "account:read"]
approval.when.properties.amount.minimum = 100
authenticator_class = "cross-platform"
executes = "page"
direct = true
opaque = false
direct_when_closed = true
pinned = "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o"
describe = "Send {{ amount }}"
input_schema = { properties = { amount = { type = "number" } } }
[agents.opaque]
scopes = ["pay"]
[quotas]
sign_ups = "5 in 1m"
pending_calls = 7
pending_consents = false
entries = false
[lifetimes]
grant = "15m"
grant_max = "2d"
session = 600
wait = 0
"""
    )
    policy = load(str(path))
    assert policy.site == Site(
        "Harbor",
        "https://www.harbor.example",
        "https://auth.harbor.example:8443",
        "harbor.example",
        (ip_network("10.0.0.0/8"), ip_network("fd00::1/128")),  # QUOTA-4
    )
    assert policy.quotas == Quotas(
        sign_ups=Rate(5, 60), pending_calls=7, pending_consents=None, entries=None
    )  # QUOTA-2: what is not named is as it was
    assert policy.api == Api("urn:harbor", ("https://api.harbor.example",), ({**KEY, "kid": "one"},))
    assert policy.scopes == {
        "account:read": Scope("account:read", "See your accounts", writes=False),
        "pay": Scope("pay", "Send money", writes=True),
    }
    assert policy.tools["help"] == Tool("help", public=True)
    transfer = policy.tools["transfer"]
    assert transfer.scopes == ScopeSet.of(["account:read", "pay"])
    assert [transfer.approval.required({"amount": amount}) for amount in (99, 100)] == [False, True]
    assert (policy.tools["help"].title, transfer.title) == ("", "Send money")
    assert transfer.authenticator_class is AuthenticatorClass.CROSS_PLATFORM
    assert transfer.executes is Executes.PAGE
    assert transfer.direct
    assert (policy.tools["help"].opaque, transfer.opaque) == (True, False)  # AGENT-3
    assert transfer.pinned == (s256(b"{}"),)  # PIN-1
    assert transfer.description({"amount": 5}).headline == "Send \u20685\u2069"
    assert transfer.input_schema is not None
    assert transfer.input_schema.fault({"amount": "5"}) is not None
    assert policy.ceiling == Ceiling(ScopeSet.of(["pay"]))
    assert (policy.grant_lifetime, policy.grant_max_lifetime) == (900, 2 * 86400)
    assert (policy.session_lifetime, policy.wait) == (600, 0)


def test_look_1_a_look_is_what_the_file_says_and_fits_what_it_does_not_say() -> None:
    assert loads(SITE.encode()).site.look is None
    told = SITE + '[site.look]\naccent = "#0D5F83"\nradius = 0\nlogo = "/static/logo.svg"\n'
    assert loads(told.encode()).site.look == Look("#0d5f83", "#6297ae", 0, "/static/logo.svg")
    drawn = "data:image/svg+xml;base64,PHN2Zy8+"
    assert loads((SITE + f'[site.look]\nlogo = "{drawn}"\n').encode()).site.look == Look(logo=drawn)


def test_agent_2_opaque_agents_may_by_default_have_what_does_not_write() -> None:
    scopes = "[scopes.a]\ntitle = 'x'\nwrites = false\n[scopes.b]\ntitle = 'x'\n"
    scopes += "[scopes.c]\ntitle = 'x'\nwrites = true\n"
    assert loads((SITE + scopes).encode()).ceiling == Ceiling(ScopeSet.of(["a"]))
    nothing = "[agents.opaque]\nscopes = []\n"
    assert loads((SITE + scopes + nothing).encode()).ceiling == Ceiling(ScopeSet())
    assert loads((SITE + scopes).encode()).default_scopes == ScopeSet.of(["a"])  # OAUTH-16
    for named in ([], ["c"], ["a", "b"]):
        said = f"[agents]\ndefault_scopes = {named}\n"
        assert loads((SITE + scopes + said).encode()).default_scopes == ScopeSet.of(named)
    many = "".join(f"[scopes.s{n}]\ntitle = 'x'\nwrites = false\n" for n in range(33))
    few = "[agents.opaque]\nscopes = ['s1']\n"
    assert loads((SITE + many + few).encode()).default_scopes == ScopeSet()


def test_guard_8_where_the_api_is() -> None:
    tool = "[scopes.a]\ntitle = 'x'\n[tools.t]\nscopes = ['a']\n"
    assert [each.name for each in loads((SITE + tool).encode()).guarded_here()] == ["t"]
    assert loads((SITE + tool + "elsewhere = true\n").encode()).guarded_here() == []
    assert loads((SITE + tool + "[api]\nelsewhere = true\n").encode()).guarded_here() == []


def test_mcp_5_what_is_for_agents_on_mcp() -> None:
    tool = """[scopes.a]
title = "x"
[tools.t]
scopes = ["a"]
summary = "Does it"
endpoint = "POST https://api.harbor.example/v1/t"
[api]
origins = ["https://api.harbor.example"]
"""
    policy = loads((SITE + tool).encode())
    assert policy.tools["t"].summary == "Does it"
    assert str(policy.tools["t"].endpoint) == "POST https://api.harbor.example/v1/t"
    assert policy.single_user is None
    local = SITE.replace("https://www.harbor.example", "http://harbor.localhost:8000")
    assert loads((local + '[mcp]\nsingle_user = "ada"\n').encode()).single_user == "ada"  # MCP-4


def test_keep_1_what_is_in_a_call_is_kept_no_longer_than_the_call() -> None:
    assert loads(SITE.encode()).retention == Retention()
    thirty, sixty = 30 * DAY, 60 * DAY
    short = loads((SITE + '[retention]\ncalls = "30d"\ngrants = "60d"\n').encode()).retention
    assert short == Retention(thirty, thirty, thirty, sixty)
    assert loads((SITE + "[retention]\ncalls = false\n").encode()).retention.arguments == 400 * DAY
    assert (short.lineages, Retention(calls=None).lineages) == (sixty, None)


def test_without_an_input_schema_a_description_may_name_any_argument() -> None:
    tool = "[scopes.a]\ntitle = 'x'\n[tools.t]\nscopes = ['a']\ndescribe = 'Send {{ amount }}'\n"
    assert (
        loads((SITE + tool).encode()).tools["t"].description({"amount": 5}).headline == "Send \u20685\u2069"
    )


def test_what_is_like_no_keyword_is_an_annotation_and_what_is_data_is_no_schema() -> None:
    tool = """[scopes.a]
title = "x"
[tools.t]
scopes = ["a"]
input_schema = { x-order = 1, units = "EUR", default = { requird = 1 }, properties = { propertis = {} } }
"""
    assert loads((SITE + tool).encode()).tools["t"].input_schema is not None


AGENT = "https://agent.example/agent.json"
AGENTS = f"""
[scopes.a]
title = 'x'
writes = false
[scopes.b]
title = 'x'
[agents.registered."{AGENT}"]
name = "Example Agent"
redirect_uris = ["https://agent.example/callback", "http://127.0.0.1/callback", "example.agent:/callback"]
[[agents.registered."{AGENT}".keys]]
kid = "one"
kty = "EC"
crv = "P-256"
x = "{KEY["x"]}"
y = "{KEY["y"]}"
"""


def test_agents_whose_keys_the_owner_registers() -> None:
    policy = loads((SITE + AGENTS).encode())
    document = policy.registered[ClientId(AGENT)]
    assert (document.client_id, document.name) == (AGENT, "Example Agent")
    assert document.keys == (Key(KEY["x"], KEY["y"], "one"),)
    assert document.auth_method is AuthMethod.PRIVATE_KEY_JWT
    assert len(document.redirect_uris) == 3
    assert policy.ceiling.registered == {AGENT: ScopeSet.of(["a"])}
    assert not policy.development


def test_witnesses_are_named_and_verifiers_should_want_all_of_them_by_default() -> None:  # LOG-10
    key = "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv"
    more = f'[[record.witnesses]]\nkey = "{key}"\nurl = "https://witness.example/"\n'
    wanted = Record(witnesses=(Witness(key, "https://witness.example"),), quorum=1)
    assert loads((SITE + more).encode()).record == wanted
    none = loads((f"{SITE}[record]\nquorum = 0\n{more}").encode()).record
    assert none == replace(wanted, quorum=0)
    assert loads(SITE.encode()).record == Record()


def test_agents_that_sign_their_requests_may_have_ed25519_keys() -> None:  # OAUTH-15
    key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    more = f'[[agents.registered."{AGENT}".keys]]\nkty = "OKP"\ncrv = "Ed25519"\nx = "{key}"\n'
    document = loads((SITE + AGENTS + more).encode()).registered[ClientId(AGENT)]
    assert document.keys == (Key(KEY["x"], KEY["y"], "one"), Key(key, None))
    alone = AGENTS[: AGENTS.index("[[")] + more
    assert loads((SITE + alone).encode()).registered[ClientId(AGENT)].keys == (Key(key, None),)


def test_agent_2_agents_of_an_origin_may_have_what_the_policy_says_or_what_does_not_write() -> None:
    ceiling = loads((SITE + AGENTS).encode()).ceiling
    assert (ceiling.origin, ceiling.origins) == (ScopeSet(), frozenset())
    allow = '[agents.origin]\nallow = ["https://agent.example", "https://b.example"]\n'
    ceiling = loads((SITE + AGENTS + allow).encode()).ceiling
    assert (ceiling.origin, len(ceiling.origins)) == (ScopeSet.of(["a"]), 2)
    assert loads((SITE + AGENTS + allow + "scopes = ['b']\n").encode()).ceiling.origin == ScopeSet.of(["b"])


def test_for_development_agents_may_be_on_this_machine() -> None:
    site = "[site]\nname = 'x'\norigin = 'http://localhost:8000'\n[agents]\ndevelopment = true\n"
    allow = (
        "[agents.origin]\nallow = ['http://localhost:9000', 'http://127.0.0.1:9000', 'http://[::1]:9000']\n"
    )
    agents = AGENTS.replace("https://agent.example", "http://localhost:9000")
    agents = agents.replace(', "example.agent:/callback"', "")
    policy = loads((site + allow + agents).encode())
    assert policy.development
    assert len(policy.ceiling.origins) == 3
    assert list(policy.registered) == ["http://localhost:9000/agent.json"]


@pytest.mark.parametrize("host", ["localhost", "harbor.localhost", "localhost:8000"])
def test_localhost_needs_no_https(host: str) -> None:
    assert loads(f"[site]\nname = 'x'\norigin = 'http://{host}'\n".encode()).site.rp_id == host.split(":")[0]


def test_the_template_of_init_is_a_policy() -> None:
    policy = load(str(files("deputize.settings") / "template.toml"))
    arguments: dict[str, Json] = {"amount": 1250, "iban": "DE89370400440532013000", "name": "Ada Lovelace"}
    transfer = policy.tools["transfer_money"]
    assert transfer.input_schema is not None
    assert transfer.input_schema.fault(arguments) is None
    described = transfer.description(arguments)
    assert described.headline == "Send \u20681,250.00 EUR\u2069?"
    assert described.rows == (
        Row("To", ("\u2068“Ada Lovelace”\u2069",)),
        Row("IBAN", ("\u2068DE89 3704 0044 0532 0130 00\u2069",)),
    )
    assert transfer.details(arguments, described) == ()


def test_what_the_template_only_mentions_is_right_too() -> None:
    text = (files("deputize.settings") / "template.toml").read_text()
    text = text.replace('approval = "always"', "", 1)
    text, openid = re.subn(
        r"# \[users\.openid\]\n(?:# .*\n){3}", "", text
    )  # instead of what stands before it
    assert openid == 1
    text = re.sub(r"^# (?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)
    text = text.replace('x = "…"', f'x = "{KEY["x"]}"').replace('y = "…"', f'y = "{KEY["y"]}"')
    text = text.replace('pinned = ["…"]', f'pinned = ["{43 * "A"}"]')
    policy, plain = loads(text.encode()), load(str(files("deputize.settings") / "template.toml"))
    proxies = (ip_network("127.0.0.1"),)
    assert (policy.site, plain.site.trusted_proxies) == (
        replace(plain.site, trusted_proxies=proxies, look=Look(logo="/logo.svg")),
        (),
    )
    assert policy.quotas == plain.quotas == Quotas()  # what is written there are the defaults
    assert (policy.api.audience, policy.api.keys) == (plain.api.audience, (KEY,))
    assert (policy.record.readers, plain.record.readers) == ((KEY,), ())
    assert (policy.grant_lifetime, policy.grant_max_lifetime) == (
        plain.grant_lifetime,
        plain.grant_max_lifetime,
    )
    assert (policy.session_lifetime, policy.wait) == (plain.session_lifetime, plain.wait)
    most, agent = ScopeSet.of(policy.scopes), ClientId("https://agent.example/agent.json")
    assert policy.ceiling == Ceiling(most, most, frozenset({"https://agent.example"}), {agent: most})
    assert policy.registered[agent].redirect_uris == ("https://agent.example/callback",)
    assert policy.development
    assert [policy.tools["transfer_money"].approval.required({"amount": n}) for n in (100, 101)] == [
        False,
        True,
    ]


def test_signin_1_where_users_sign_in() -> None:
    assert loads(SITE.encode()).login is None
    key = "".join(f'{name} = "{value}"\n' for name, value in KEY.items())
    there = 'sign_in_uri = "https://www.harbor.example/login"\npasskeys = true\n'
    text = f"{SITE}[users]\n{there}[[users.keys]]\n{key}"
    tickets = Tickets("https://www.harbor.example/login", (Key(KEY["x"], KEY["y"]),))
    assert loads(text.encode()).login == SiteLogin(tickets, passkeys=True)


def test_openid_1_where_users_sign_in() -> None:
    text = f'{SITE}[users.openid]\nissuer = "https://login.harbor.example"\nclient_id = "x"\n'
    assert loads(text.encode()).login == SiteLogin(OpenId("https://login.harbor.example", "x"))
    for key, given in (("file", ("/run/secrets/openid", None)), ("env", (None, "OPENID_SECRET"))):
        secret = f'client_secret_{key} = "{given[0] or given[1]}"\n'
        openid = OpenId("https://login.harbor.example", "x", *given)
        assert loads((text + secret).encode()).login == SiteLogin(openid)
    local = SITE.replace("https://www.harbor.example", "http://localhost:8000")
    text = f'{local}[agents]\ndevelopment = true\n[users.openid]\nissuer = "http://localhost:9000/x"\nclient_id = "x"\n'
    assert loads(text.encode()).login == SiteLogin(OpenId("http://localhost:9000/x", "x"))
