"""A policy file is a policy, or every fault in it with its line."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deputize.protocol.policy import Policy
from deputize.settings import PolicyError, PolicyFault, load, loads

SITE = '[site]\nname = "Harbor"\norigin = "http://localhost:8000"\n'
READ = '[scopes."account:read"]\ntitle = "See your accounts"\nwrites = false\n'
BASE = SITE + READ  # six lines
TOOL = BASE + '[tools.t]\nscopes = ["account:read"]\n'  # eight
SCHEMA = "[tools.t.input_schema.properties]\namount = {}\n"
KEY = """kty = "EC"
crv = "P-256"
x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
"""  # RFC 7515 A.3


def faults(text: str) -> list[PolicyFault]:
    with pytest.raises(PolicyError) as raised:
        loads(text.encode())
    return raised.value.faults


USERS = f'{BASE}[users]\nsign_in_uri = "http://localhost:8000/login"\n[[users.keys]]\n{KEY}'
OPENID = f'{BASE}[users.openid]\nissuer = "https://login.harbor.example"\nclient_id = "deputize"\n'
AGENT_PATH = 'agents.registered."https://agent.example/agent.json"'
AGENT = f'{BASE}[{AGENT_PATH}]\nname = "Example"\n[[{AGENT_PATH}.keys]]\n{KEY}'


WITNESS = f"""{SITE}[record]
quorum = 1
[[record.witnesses]]
key = "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv"
url = "https://witness.example/"
"""

ONE_FAULT = [
    # the file
    ("", 1, "site", "missing; write [site]"),
    (SITE + "[tool.x]\n", 4, "tool", 'no such key; did you mean "tools"?'),
    (
        SITE + "[quux]\n",
        4,
        "quux",
        "no such key; there is site, api, scopes, agents, tools, mcp, record, users, quotas, prompts, retention",
    ),
    (SITE + "tools = 1\n", 4, "site.tools", "no such key"),
    ("site = 1\n", 1, "site", "write a table: [site]"),
    # TOML
    (BASE + "x = y\n", 7, "column 5", "not a value; text stands in quotes"),
    (BASE + "[scopes.a:b]\n", 7, "column 10", "what has a colon or a space in it stands in quotes"),
    (BASE + 'writes = "x', 7, "end of file", "not TOML: "),
    (BASE + "writes = true\n", 7, "column 14", "in the file already"),
    (BASE + "[site]\n", 7, "column 6", "in the file already"),
    (BASE + "a = " + "[" * 20_000, 1, "file", "nested too deeply"),
    (BASE + "a = " + "9" * 5_000, 1, "file", "a number that is too long"),
    # look
    (SITE + "[site.look]\nquux = 1\n", 5, "site.look.quux", "no such key; there is accent"),
    (
        SITE + '[site.look]\naccent = "#ff9900"\n',
        5,
        "site.look.accent",
        'cannot read "#ff9900" well on #f3f5f9: a contrast of 2.0, of which WCAG 2.2 asks 4.5; "#a16000" would do',
    ),
    (SITE + '[site.look]\naccent_dark = "#0d5f83"\n', 5, "site.look.accent_dark", '"#6297ae" would do'),
    (SITE + '[site.look]\naccent = "red; } *"\n', 5, "site.look.accent", "in hexadecimal"),
    (SITE + '[site.look]\naccent = "#abc"\n', 5, "site.look.accent", "in hexadecimal"),
    (SITE + "[site.look]\nradius = 33\n", 5, "site.look.radius", "from 0 to 32"),
    (SITE + '[site.look]\nradius = "1px; }"\n', 5, "site.look.radius", "from 0 to 32"),
    (
        SITE + '[site.look]\nlogo = "https://x.example/a.png"\n',
        5,
        "site.look.logo",
        "write a path of the site",
    ),
    (SITE + '[site.look]\nlogo = "//x.example/a.png"\n', 5, "site.look.logo", "write a path of the site"),
    (SITE + '[site.look]\nlogo = "/a/../b.svg"\n', 5, "site.look.logo", "write a path of the site"),
    (SITE + '[site.look]\nlogo = "data:text/html;base64,PGI+"\n', 5, "site.look.logo", "write a path"),
    (SITE + '[site.look]\nlogo = "data:image/png;base64,A"\n', 5, "site.look.logo", "no image in base64"),
    (SITE + f'[site.look]\nlogo = "/{"a" * 16384}"\n', 5, "site.look.logo", "at most 16384"),
    (
        (
            '[site]\nname = "H"\norigin = "https://a.example"\nissuer = "https://b.a.example"\nrp_id = "a.example"\n'
            '[site.look]\nlogo = "/logo.svg"\n'
        ),
        7,
        "site.look.logo",
        "at another origin",
    ),
    # retention
    (
        SITE + '[retention]\ncalls = "23h"\n',
        5,
        "retention.calls",
        'write a time from "1d" to "36525d", or false',
    ),
    (SITE + "[retention]\ngrants = true\n", 5, "retention.grants", "or false for as long as there is room"),
    (SITE + '[retention]\narguments = "2000d"\n', 5, "retention.arguments", "kept longer than `calls`"),
    (SITE + "[retention]\nrefused = false\n", 5, "retention.refused", "kept longer than `calls`"),
    (SITE + '[retention]\nsessions = "1d"\n', 5, "retention.sessions", "no such key"),
    # prompts
    (SITE + "[prompts]\ndeclines = 3\n", 5, "prompts.declines", 'like "1000 in 10m", or false'),
    (SITE + '[prompts]\nquiet = "59s"\n', 5, "prompts.quiet", "59 seconds are out of range; write 60 to"),
    (SITE + "[prompts]\nquiet = false\n", 5, "prompts.quiet", "write seconds as a number"),
    (SITE + "[prompts]\nat_once = 0\n", 5, "prompts.at_once", "from 1 on, or false for as many as come"),
    # quotas
    (SITE + "[quotas]\nsign_ups = 5\n", 5, "quotas.sign_ups", 'like "1000 in 10m", or false'),
    (SITE + '[quotas]\nsign_ups = "5 per 1m"\n', 5, "quotas.sign_ups", 'like "1000 in 10m", or false'),
    (SITE + '[quotas]\nsign_ups = "0 in 1m"\n', 5, "quotas.sign_ups", 'like "1000 in 10m", or false'),
    (SITE + '[quotas]\nsign_ups = "5 in 0m"\n', 5, "quotas.sign_ups", "out of range"),
    (SITE + "[quotas]\nentries = 0\n", 5, "quotas.entries", "from 1 on, or false for as many as come"),
    (SITE + "[quotas]\nentries = true\n", 5, "quotas.entries", "from 1 on, or false for as many as come"),
    (SITE + "[quotas]\npending_calls = 0\n", 5, "quotas.pending_calls", "from 1 on, or false"),
    (SITE + "[quotas]\npending_calls = -1\n", 5, "quotas.pending_calls", "a number from 1 to"),
    (SITE + "[quotas]\npending_calls = 1.5\n", 5, "quotas.pending_calls", "a number from 1 to"),
    (SITE + '[quotas]\npending_calls = "5"\n', 5, "quotas.pending_calls", "a number from 1 to"),
    (SITE + "[quotas]\nsign_in = false\n", 5, "quotas.sign_in", 'did you mean "sign_ins"?'),
    (
        SITE + 'trusted_proxies = ["proxy.example"]\n',
        4,
        "site.trusted_proxies[1]",
        "an address or a network, as",
    ),
    (SITE + 'trusted_proxies = ["10.0.0.1/8"]\n', 4, "site.trusted_proxies[1]", "has host bits set"),
    (SITE + "trusted_proxies = [10]\n", 4, "site.trusted_proxies[1]", "an address or a network, in quotes"),
    # the site
    ('[site]\norigin = "https://a.example"\n', 1, "site.name", 'missing; write name = "Harbor"'),
    ('[site]\nname = "x"\n', 1, "site.origin", 'missing; write origin = "https://harbor.example"'),
    (SITE.replace('"Harbor"', "5"), 2, "site.name", "write a text, in quotes"),
    (SITE.replace("Harbor", " "), 2, "site.name", "write some words"),
    (SITE.replace("Harbor", r"a\u202eb"), 2, "site.name", "without invisible characters"),
    (SITE.replace("8000", "8000/"), 3, "site.origin", 'and nothing else: "http://localhost:8000"'),
    (
        SITE.replace("localhost", "LocalHost"),
        3,
        "site.origin",
        'in lower case and nothing else: "http://localhost:8000"',
    ),
    (SITE.replace("http:", "ftp:"), 3, "site.origin", '"https://site.example"'),
    (SITE.replace("localhost", "harbor.example"), 3, "site.origin", 'write "https://"'),
    (SITE.replace("localhost", "127.0.0.1"), 3, "site.origin", 'on this machine write "localhost"'),
    (SITE.replace("8000", "80"), 3, "site.origin", 'write "http://localhost": browsers leave out :80'),
    (SITE.replace("8000", "65536"), 3, "site.origin", "a port from 1 to 65535"),
    (SITE + 'issuer = "http://localhost:8000/deputize/"\n', 4, "site.issuer", "without a slash at the end"),
    (SITE + 'issuer = "http://localhost:8000/deputize?x"\n', 4, "site.issuer", "a query"),
    (SITE + 'issuer = "deputize"\n', 4, "site.issuer", "write an origin and perhaps a path"),
    (SITE + 'issuer = "http://auth.example"\n', 4, "site.issuer", 'write "https://"'),
    (SITE + 'rp_id = "example.com"\n', 4, "site.rp_id", 'does not work on localhost; write "localhost"'),
    (
        SITE.replace("http://localhost:8000", "https://a.b.example") + 'rp_id = "example"\n',
        4,
        "site.rp_id",
        '"a.b.example"',
    ),
    (
        SITE.replace("http://localhost:8000", "https://www.b.example")
        + 'issuer = "https://auth.b.example"\n',
        1,
        "site.rp_id",
        'a passkey for "www.b.example" does not work on auth.b.example; write "b.example"',
    ),
    (
        SITE.replace("http://localhost:8000", "https://b.example") + 'issuer = "https://c.example"\n',
        1,
        "site.rp_id",
        "origin and issuer need a domain that both are in",
    ),
    # the API
    (SITE + '[api]\naudience = ""\n', 5, "api.audience", "write some text"),
    (SITE + '[api]\norigins = ["http://localhost:1", "x"]\n', 5, "api.origins[2]", "write scheme, host"),
    (
        SITE + "[[api.keys]]\n" + KEY + "[[api.keys]]\n" + KEY.replace("P-256", "P-384"),
        9,
        "api.keys[2]",
        "public P-256 key",
    ),
    (SITE + "[[api.keys]]\n" + KEY.replace("VEU", "VEV"), 4, "api.keys[1]", "not a public P-256 key"),
    (SITE + "[[api.keys]]\n" + KEY + 'd = "x"\n', 4, "api.keys[1]", "this key is private"),
    (SITE + "api.keys = 5\n", 4, "site.api", "no such key"),
    (SITE + "[api]\nkeys = [5]\n", 5, "api.keys[1]", "write a JWK"),
    # the record
    (SITE + "[record]\nreaders = [5]\n", 5, "record.readers[1]", "write a JWK"),
    (WITNESS.replace("3uS", "3vS"), 7, "record.witnesses[1].key", "not the key of a witness"),
    (WITNESS.replace("https:", "http:"), 8, "record.witnesses[1].url", "write a URL with https"),
    (WITNESS.replace("quorum = 1", "quorum = 2"), 4, "record", "quorum is how many of the witnesses"),
    (WITNESS.replace("quorum = 1", "quorum = -1"), 5, "record.quorum", "write a whole number"),
    (WITNESS + WITNESS[WITNESS.index("[[") :], 4, "record", "each of them another"),
    (WITNESS + 16 * WITNESS[WITNESS.index("[[") :], 6, "record.witnesses", "write at most 16"),
    (
        "\n".join(each for each in WITNESS.split("\n") if "key" not in each),
        6,
        "record.witnesses[1].key",
        "missing; write key = ",
    ),
    # scopes
    (SITE + '[scopes."a b"]\ntitle = "x"\n', 4, 'scopes."a b"', "not a scope: 'a b'"),
    (SITE + "[scopes.a]\n", 4, "scopes.a.title", 'missing; write title = "See your accounts"'),
    (SITE + "[scopes]\na = 'x'\n", 5, "scopes.a", "write a table: [scopes.a]"),
    (SITE + "[scopes.a]\ntitle = 'x'\nwrite = false\n", 6, "scopes.a.write", 'did you mean "writes"?'),
    (SITE + "[scopes.a]\ntitle = 'x'\nwrites = 'no'\n", 6, "scopes.a.writes", "write true or false"),
    # tools
    (BASE + "[tools.t]\n", 7, "tools.t", "needs at least one scope"),
    (
        BASE + '[tools."deputize.t"]\npublic = true\n',
        7,
        'tools."deputize.t"',
        "does not begin with deputize.",
    ),
    (BASE + '[tools."a b"]\npublic = true\n', 7, 'tools."a b"', "a tool name matches"),
    (
        BASE + '[tools.t]\npublic = true\nscopes = ["account:read"]\n',
        7,
        "tools.t",
        "a public tool has no scopes",
    ),
    (
        BASE + '[tools.t]\npublic = true\nsurface = "page"\n',
        7,
        "tools.t",
        "a public tool asks for no approval",
    ),
    (BASE + '[tools.t]\nscopes = ["account:reed"]\n', 8, "tools.t.scopes[1]", 'did you mean "account:read"?'),
    (
        BASE + '[tools.t]\nscopes = [\n"account:read",\n"x"\n]\n',
        10,
        "tools.t.scopes[2]",
        '[scopes] declares no "x"',
    ),
    (BASE + '[tools.t]\nscopes = "account:read"\n', 8, "tools.t.scopes", "write a list"),
    (TOOL + 'approval = "allways"\n', 9, "tools.t.approval", 'write "never", "always" or { when ='),
    (TOOL + "approval = { when = {}, unless = {} }\n", 9, "tools.t.approval", 'write "never"'),
    (TOOL + "approval = true\n", 9, "tools.t.approval", 'write "never"'),
    (
        TOOL + 'approval = { when = { minimum = "1" } }\n',
        9,
        "tools.t.approval.when.minimum",
        'not of type "number"',
    ),
    (TOOL + 'approval = "always"\n', 7, "tools.t", "needs a `describe`"),
    (TOOL + "direct = true\n", 7, "tools.t", "needs a `describe`"),
    (TOOL + 'direct = "yes"\n', 9, "tools.t.direct", "write true or false"),
    (TOOL + 'executes = "app"\n', 9, "tools.t.executes", 'write "api" or "page"'),
    (
        TOOL + 'authenticator_class = "usb"\n',
        9,
        "tools.t.authenticator_class",
        'write "platform" or "cross-platform"',
    ),
    (TOOL + "aproval = 1\n", 9, "tools.t.aproval", 'did you mean "approval"?'),
    (
        TOOL + 'describe = "x"\ndirect = true\nopaque = false\n',
        10,
        "tools.t.direct",
        "opens what `opaque = false` closes: if that is meant, say `direct_when_closed = true` as well",
    ),
    (
        TOOL + 'describe = "x"\ndirect = true\n[agents.opaque]\nscopes = []\n',
        10,
        "tools.t.direct",
        "opens what agents.opaque does not let it have (account:read): if that is meant, say `direct_when_closed",
    ),
    (
        TOOL.replace("writes = false\n", "") + 'describe = "x"\ndirect = true\n',
        9,
        "tools.t.direct",
        "opens what agents.opaque does not let it have (account:read)",
    ),
    (
        TOOL + 'pinned = "x"\n',
        9,
        "tools.t.pinned",
        "not the digest of a definition, which `deputize pin` writes",
    ),
    (TOOL + "pinned = [1]\n", 9, "tools.t.pinned", "not the digest of a definition"),
    (TOOL + "pinned = []\n", 9, "tools.t.pinned", "write a digest as `deputize pin` does, or a list of them"),
    (TOOL + "pinned = true\n", 9, "tools.t.pinned", "write a digest as `deputize pin` does"),
    (
        TOOL + 'surface = "authority"\n',
        9,
        "tools.t.surface",
        "the authority is at the site's own origin",
    ),
    (TOOL + 'surface = "wall"\n', 9, "tools.t.surface", "page"),
    (TOOL + "direct_when_closed = true\n", 7, "tools.t", "for a tool that is `direct`"),
    # their schemas
    (TOOL + 'input_schema = "{}"\n', 9, "tools.t.input_schema", "write a table that is a JSON Schema"),
    (TOOL + '[tools.t.input_schema]\ntype = "array"\n', 10, "tools.t.input_schema.type", 'write "object"'),
    (TOOL + "output_schema = true\n", 9, "tools.t.output_schema", "write a table that is a JSON Schema"),
    (TOOL + '[tools.t.output_schema]\ntype = "array"\n', 10, "tools.t.output_schema.type", 'write "object"'),
    (
        TOOL + "[tools.t.output_schema]\nproperties.a = { maxlength = 5 }\n",
        10,
        "tools.t.output_schema.properties.a.maxlength",
        'did you mean "maxLength"?',
    ),
    (
        TOOL
        + "[tools.t.input_schema]\nproperties.a = { type = 'string' }\nproperties.b = { type = 'strng' }\n",
        11,
        "tools.t.input_schema.properties.b.type",
        '"strng" is not allowed here',
    ),
    (
        TOOL + "[tools.t.input_schema]\n'$ref' = 'http://localhost/x'\n",
        9,
        "tools.t.input_schema",
        "not fetched",
    ),
    (TOOL + "[tools.t.input_schema]\ndefault = 2026-01-01\n", 9, "tools.t.input_schema", "dates"),
    (TOOL + "[tools.t.input_schema]\nmaximum = inf\n", 9, "tools.t.input_schema", "inf"),
    (
        TOOL + "[tools.t.input_schema]\nproperties.a = { maxlength = 5 }\n",
        10,
        "tools.t.input_schema.properties.a.maxlength",
        'no such keyword; did you mean "maxLength"?',
    ),
    (
        TOOL + "approval.when.anyOf = [{}, { not = { requird = ['a'] } }]\n",
        9,
        "tools.t.approval.when.anyOf[2].not.requird",
        'did you mean "required"?',
    ),
    # their descriptions
    (TOOL + SCHEMA + "[tools.t]\n", 11, "column 9", "in the file already"),
    (TOOL + "describe = 5\n", 9, "tools.t.describe", "write a template, in quotes"),
    (TOOL + "describe = '{{ amount'\n" + SCHEMA, 9, "tools.t.describe", "the template does not compile"),
    (TOOL + "describe = '{{ amount | cash }}'\n" + SCHEMA, 9, "tools.t.describe", "No filter named 'cash'"),
    (
        TOOL + "describe = '{{ amout }}'\n" + SCHEMA,
        9,
        "tools.t.describe",
        'input_schema: "amout"; did you mean "amount"?',
    ),
    (TOOL + "describe = '{{ a }} {{ b }}'\n" + SCHEMA, 9, "tools.t.describe", 'input_schema: "a", "b"'),
    (TOOL + "describe = '{{ range(9) }}'\ninput_schema = {}\n", 9, "tools.t.describe", '"range"'),
    (TOOL + "describe = '{% include \"x\" %}'\n", 9, "tools.t.describe", "names another one"),
    (TOOL + f"describe = '{{{{ {'(' * 500} }}}}'\n", 9, "tools.t.describe", "the template"),
    # their descriptions, as a headline with rows
    *(
        (TOOL + SCHEMA + "payee = { properties.iban = {} }\n[tools.t.describe]\n" + text, line, where, says)
        for text, line, where, says in (
            ("headline = 'x'\nrow = []\n", 14, "tools.t.describe.row", 'did you mean "rows"?'),
            ("headline = 'x'\nfooter = 'y'\n", 14, "tools.t.describe.footer", "there is headline, rows"),
            ("rows = ['amount']\n", 12, "tools.t.describe", "a headline is missing"),
            ("headline = 5\n", 13, "tools.t.describe.headline", "write a template, in quotes"),
            ("headline = '{{ amout }}'\n", 13, "tools.t.describe.headline", 'did you mean "amount"?'),
            ("headline = '{{'\n", 13, "tools.t.describe.headline", "does not compile"),
            ("headline = 'x'\nrows = 'amount'\n", 14, "tools.t.describe.rows", "in brackets"),
            ("headline = 'x'\nrows = [5]\n", 14, "tools.t.describe.rows[1]", "the name of an argument"),
            *(
                (f"headline = 'x'\nrows = ['amount', {row}]\n", 14, "tools.t.describe.rows[2]", says)
                for row, says in (
                    ("'amout'", 'did you mean "amount"?'),
                    ("'payee.ibam'", 'did you mean "iban"?'),
                    ("'amount'", "there is a row for this already"),
                    ("\"amount | money('EUR')\"", "there is a row for this already"),
                    ("'payee.iban | cash'", "perhaps with a filter"),
                    ("'payee.iban | upper'", "perhaps with a filter"),
                    ("'payee.iban | money'", "write the currency beside the filter"),
                    ('"payee.iban | money(amount)"', "write the currency beside the filter"),
                    ("\"payee.iban ~ 'x'\"", "name an argument"),
                    ("\"'To you: nothing'\"", "name an argument"),
                    ("'payee[0]'", "name an argument"),
                    ("''", "name an argument"),
                )
            ),
        )
    ),
    # agents
    (
        BASE + '[agents.opaque]\nscopes = ["account:reed"]\n',
        8,
        "agents.opaque.scopes[1]",
        'did you mean "account:read"?',
    ),
    (
        BASE + '[agents]\ndefault_scopes = ["account:reed"]\n',
        8,
        "agents.default_scopes[1]",
        'did you mean "account:read"?',
    ),
    (BASE + "[agents.opaque]\nscope = []\n", 8, "agents.opaque.scope", 'did you mean "scopes"?'),
    (
        BASE + "[agents.attested]\n",
        7,
        "agents.attested",
        "no such key; there is opaque, origin, registered, development, default_scopes, children",
    ),
    *(
        (BASE + f"[agents]\nchildren = {value}\n", 8, "agents.children", "a whole number from 0 to 1024")
        for value in ("-1", "1025", "true", "1.0", '"1"')
    ),
    (BASE + "[agents]\ndevelopment = 1\n", 8, "agents.development", "write true or false"),
    (
        BASE.replace("http://localhost:8000", "https://a.example") + "[agents]\ndevelopment = true\n",
        8,
        "agents.development",
        "for sites on localhost, and https://a.example is not",
    ),
    *(
        (BASE + f"[agents.origin]\nallow = ['{origin}']\n", 8, "agents.origin.allow[1]", "write an origin")
        for origin in (
            "agent.example",
            "https://agent.example/",
            "https://agent.example/x",
            "https://agent.example?",
            "https://Agent.example",
            "https://agent.example:443",
            "https://agent.example:8443",
            "https://agent",
            "https://*.agent.example",
            "https://127.0.0.1",
            "http://agent.example",
            "http://localhost:9000",
        )
    ),
    (
        BASE + "[agents.origin]\nscopes = ['x']\n",
        8,
        "agents.origin.scopes[1]",
        '[scopes] declares no "x"',
    ),
    (
        AGENT.replace("/agent.json", "/agent.json?x"),
        7,
        'agents.registered."https://agent.example/agent.json?x"',
        "it has a query",
    ),
    (
        AGENT.replace("https:", "http:"),
        7,
        'agents.registered."http://agent.example/agent.json"',
        "begins with https://",
    ),
    (
        AGENT.replace('name = "Example"', "title = 1\nname = 'x'"),
        8,
        f"{AGENT_PATH}.title",
        "no such key; there is scopes, name",
    ),
    (AGENT.replace("Example", r"a\u202eb"), 8, f"{AGENT_PATH}.name", "without invisible characters"),
    (AGENT.replace("Example", "x" * 65), 8, f"{AGENT_PATH}.name", "longer than 64 characters"),
    (AGENT.split("[[")[0], 7, f"{AGENT_PATH}.keys", "missing; write [[agents.registered."),
    (AGENT.split("[[")[0] + "keys = []\n", 9, f"{AGENT_PATH}.keys", "1 to 10 keys"),
    (AGENT + 'd = "x"\n', 9, f"{AGENT_PATH}.keys[1]", "this key is private"),
    (AGENT.replace("VEU", "VEV"), 9, f"{AGENT_PATH}.keys[1]", "not a public P-256 key"),
    (AGENT.replace("P-256", "Ed25519"), 9, f"{AGENT_PATH}.keys", "an Ed25519 key"),
    (AGENT + AGENT[AGENT.index("[[") :], 9, f"{AGENT_PATH}.keys", "a kid of its own"),
    (
        AGENT.replace("[[", "redirect_uris = ['https://a.example/', 'http://a.example/']\n[[", 1),
        9,
        f"{AGENT_PATH}.redirect_uris[2]",
        "http is on 127.0.0.1",
    ),
    (
        SITE + "".join(f"[scopes.s{n}]\ntitle = 'x'\nwrites = false\n" for n in range(33)),
        1,
        "agents",
        "33 scopes do not write, and an agent may have 32",
    ),
    # MCP
    *(
        (TOOL + f'endpoint = "{wrong}"\n', 9, "tools.t.endpoint", "write a method and a path")
        for wrong in (
            *("/api/x", "POST", "POST ", "POST http://localhost:8000", "POST api/x", "POST  /x", "POST /x y"),
            *("POST /a?b", "POST /a#b", "POST /a//b", "POST /../a", "POST /a/./b", "POST /a.", "POST /a%20b"),
            *(
                "POST /a;b",
                "POST /{}",
                "POST /{1}",
                "POST /{a-b}",
                "POST /a{b}",
                "POST /{a}{b}",
                "POST /{a:int}",
            ),
            *(
                "POST /a{?}",
                "POST /a{?b",
                "POST /a{?b,}",
                "POST /a{?b}/c",
                "POST /a{&b}",
                "POST /ä",
                "POST //a",
            ),
        )
    ),
    *(
        (TOOL + f'endpoint = "{wrong} /a"\n', 9, "tools.t.endpoint", "write the method as one of GET, POST,")
        for wrong in ("post", "HEAD", "OPTIONS", "*", "http://localhost:8000/a")
    ),
    (TOOL + "endpoint = 5\n", 9, "tools.t.endpoint", "write a text, in quotes"),
    (
        TOOL + 'endpoint = "POST /{amount}/{amount}"\n' + SCHEMA,
        9,
        "tools.t.endpoint",
        "each argument stands at one place",
    ),
    (TOOL + 'endpoint = "POST /{a}{?a}"\n', 9, "tools.t.endpoint", "each argument stands at one place"),
    (TOOL + 'endpoint = "GET /{a}{?b}"\n', 9, "tools.t.endpoint", "with GET, all arguments that are not"),
    (
        TOOL + 'endpoint = "POST /{amont}"\n' + SCHEMA,
        9,
        "tools.t.endpoint",
        'the input_schema of this tool has no property "amont"; did you mean "amount"?',
    ),
    (TOOL + 'endpoint = "POST /x{?a}"\n', 9, "tools.t.endpoint", 'has no property "a"'),
    (
        TOOL + 'endpoint = "POST /{amount}"\n' + SCHEMA,
        9,
        "tools.t.endpoint",
        '"amount" is in the path: its type',
    ),
    (
        TOOL + 'endpoint = "POST /{amount}"\n' + SCHEMA.replace("{}", '{ type = "integer" }'),
        9,
        "tools.t.endpoint",
        "there is no call without it: write it in `required`",
    ),
    (TOOL + 'endpoint = "GET /x"\n' + SCHEMA, 9, "tools.t.endpoint", '"amount" is in the query: its type'),
    (
        TOOL + 'endpoint = "POST /x{?amount}"\n' + SCHEMA.replace("{}", '{ type = "array", items = {} }'),
        9,
        "tools.t.endpoint",
        '"amount" is in the query: its type',
    ),
    (
        TOOL + 'endpoint = "POST https://a.example/b"\n',
        9,
        "tools.t.endpoint",
        "call tokens go to the site's API only, and that is at http://localhost:8000",
    ),
    (
        TOOL + 'executes = "page"\nendpoint = "POST http://localhost:8000/b"\n',
        7,
        "tools.t",
        "an `endpoint` is the site's API",
    ),
    (TOOL + 'summary = "a\\nb"\n', 9, "tools.t.summary", "users read this"),
    (
        SITE.replace("http://localhost:8000", "https://bank.example") + '[mcp]\nsingle_user = "ada"\n',
        5,
        "mcp.single_user",
        "this is for sites on localhost, and https://bank.example is not",
    ),
    # users
    (BASE + '[users]\nsign_in_uri = "http://localhost:8000/login"\n', 7, "users", "go together"),
    (BASE + "[[users.keys]]\n" + KEY, 7, "users", "go together"),
    (BASE + "[users]\npasskeys = false\n", 7, "users", "for sites with a login of their own"),
    (USERS.replace("8000/login", "9000/login"), 8, "users.sign_in_uri", "from pages of the site only"),
    (USERS.replace("/login", "/login?x=1"), 8, "users.sign_in_uri", "write an origin and a path"),
    (USERS + "d = 'x'\n", 9, "users.keys[1]", "this key is private"),
    (USERS + "[[users.keys]]\n" + KEY, 7, "users", "a kid of its own"),
    (
        OPENID + "secret = 'x'\n",
        10,
        "users.openid.secret",
        "no such key; there is issuer, client_id, client_secret_file",
    ),
    (OPENID + "client_secret_file = 'secret'\n", 10, "users.openid.client_secret_file", "from the root"),
    (
        OPENID + "client_secret_env = 'GOCSPX-1a2b'\n",
        10,
        "users.openid.client_secret_env",
        "the name of a variable",
    ),
    (
        OPENID + "client_secret_env = 'A'\nclient_secret_file = '/a'\n",
        7,
        "users.openid",
        "leave out one",
    ),
    (BASE + "[users.openid]\nclient_id = 'x'\n", 7, "users.openid.issuer", "missing; write issuer ="),
    (USERS + OPENID.removeprefix(BASE), 7, "users", "by tickets (sign_in_uri, keys) or by openid"),
    (OPENID.replace("https", "http"), 8, "users.openid.issuer", "write the issuer as its metadata have it"),
    (
        OPENID.replace("login.", "LOGIN."),
        8,
        "users.openid.issuer",
        "write the issuer as its metadata have it",
    ),
    (
        OPENID.replace("https://login.harbor.example", "http://localhost:9000"),
        8,
        "users.openid.issuer",
        "development",
    ),
    (OPENID.replace("deputize", ""), 9, "users.openid.client_id", "write some text"),
    # mcp
    (BASE + '[record]\nhead = "head"\n', 8, "record.head", "the whole path of a file"),
    (BASE + '[record]\nhead = "/mnt/"\n', 8, "record.head", "the whole path of a file"),
    (BASE + '[record]\nhead = "witnesses"\n', 8, "record.head", "if quorum is more than half of them"),
    (
        WITNESS.replace("quorum = 1", 'quorum = 0\nhead = "witnesses"'),
        6,
        "record.head",
        "if quorum is more than half of them",
    ),
    (BASE + "[mcp]\nsingle_user = 5\n", 8, "mcp.single_user", "write a text"),
    (BASE + "[mcp]\nbearers = true\n", 8, "mcp.bearers", 'did you mean "bearer"'),
    (BASE + '[mcp]\nbearer = "yes"\n', 8, "mcp.bearer", "true or false"),
    (BASE + "[mcp]\nbearer = true\n", 8, "mcp.bearer", "nobody could come: name the origins"),
    # lifetimes
    (BASE + '[lifetimes]\ngrant = "1y"\n', 8, "lifetimes.grant", '"90s", "15m", "12h", "30d"'),
    (BASE + "[lifetimes]\ngrant = 1.5\n", 8, "lifetimes.grant", "write seconds"),
    (BASE + "[lifetimes]\ngrant = true\n", 8, "lifetimes.grant", "write seconds"),
    (BASE + "[lifetimes]\ngrant = 59\n", 8, "lifetimes.grant", "59 seconds are out of range; write 60 to"),
    (BASE + '[lifetimes]\ngrant_max = "400d"\n', 8, "lifetimes.grant_max", "out of range"),
    (BASE + "[lifetimes]\nwait = 26\n", 8, "lifetimes.wait", "write 0 to 25"),
    (
        BASE + "[lifetimes]\ngrant_max = 60\n",
        7,
        "lifetimes",
        "grant is 3600 seconds, more than grant_max with 60",
    ),
]


@pytest.mark.parametrize(("text", "line", "where", "part"), ONE_FAULT)
def test_each_fault_is_told_with_its_line_and_its_cure(text: str, line: int, where: str, part: str) -> None:
    (fault,) = faults(text)
    assert (fault.line, fault.where) == (line, where)
    assert part in fault.message


def test_all_faults_at_once_in_the_order_of_the_file() -> None:
    text = """[site]
nam = "Harbor"
origin = "http://localhost:8000/"
[scopes."account:read"]
title = ""
[tools.transfer]
scopes = ["account:red"]
approval = "sometimes"
describe = "{{"
executes = "cloud"
[tools."deputize.x"]
public = true
[agents.opaque]
scopes = ["payments"]
[lifetimes]
wait = 26
"""
    assert [(fault.line, fault.where) for fault in faults(text)] == [
        (1, "site.name"),
        (2, "site.nam"),
        (3, "site.origin"),
        (5, 'scopes."account:read".title'),
        (7, "tools.transfer.scopes[1]"),
        (8, "tools.transfer.approval"),
        (9, "tools.transfer.describe"),
        (10, "tools.transfer.executes"),
        (11, 'tools."deputize.x"'),
        (14, "agents.opaque.scopes[1]"),
        (16, "lifetimes.wait"),
    ]


def test_all_faults_of_tools_at_once_that_do_not_fit_the_rest() -> None:
    """CALL-7, MCP-12: each has its own line, whatever is wrong with others."""
    tool = 'scopes = ["account:read"]\ndescribe = "x"\nendpoint = "POST http://localhost:9/{name}"\ndirect = true\n'
    text = (
        BASE
        + "".join(f"[tools.{name}]\n{tool.format(name=name)}" for name in "ab")
        + "[agents.opaque]\nscopes = []\n"
    )
    assert [(fault.line, fault.where) for fault in faults(text)] == [
        (10, "tools.a.endpoint"),
        (11, "tools.a.direct"),
        (15, "tools.b.endpoint"),
        (16, "tools.b.direct"),
    ]


KIND = """[tools.{name}.input_schema]
required = ["kind"]
properties = {{ kind = {{ type = "string", {kind} }} }}
"""


@pytest.mark.parametrize(
    ("one", "another", "message"),
    [
        ("POST /x", "POST /x", "t has the same endpoint, and nothing tells their requests apart"),
        ("GET /x", "GET http://localhost:8000/x", "t has the same endpoint"),
        ("POST /x/{kind}", "POST /x/new", "could be for this and for the endpoint of t, POST /x/{kind}"),
        ("POST /x/new", "POST /{kind}/new", "could be for this and for the endpoint of t"),
        ("POST /x", "POST /X", "could be for this and for the endpoint of t"),
        ("POST /x", "POST /x/", "could be for this and for the endpoint of t"),
        ("POST /x", "POST /x{?kind}", "could be for this and for the endpoint of t"),
    ],
)
def test_endpoint_3_one_address_is_for_one_endpoint(one: str, another: str, message: str) -> None:
    """ENDPOINT-3"""
    kind = "".join(KIND.format(name=name, kind="minLength = 1") for name in "tu")
    text = f'{TOOL}endpoint = "{one}"\n[tools.u]\nscopes = ["account:read"]\nendpoint = "{another}"\n{kind}'
    (found,) = faults(text)
    assert (found.line, found.where) == (12, "tools.u.endpoint")
    assert message in found.message


@pytest.mark.parametrize(
    ("one", "another", "apart"),
    [
        ('const = "a"', 'const = "b"', True),
        ('enum = ["a", "b"]', 'const = "c"', True),
        ('const = "a"', 'const = "a"', False),
        ('enum = ["a", "b"]', 'enum = ["b", "c"]', False),
        ('enum = ["a", 1]', 'const = "b"', False),
        ('pattern = "a"', 'pattern = "b"', False),
    ],
)
def test_endpoint_3_an_argument_tells_two_tools_of_one_endpoint_apart(
    one: str, another: str, apart: bool
) -> None:
    both = f'{TOOL}endpoint = "POST /x"\n[tools.u]\nscopes = ["account:read"]\nendpoint = "POST /x"\n'
    both += KIND.format(name="t", kind=one) + KIND.format(name="u", kind=another)
    if apart:
        found = loads(both.encode()).endpoints().find("POST", "/x")
        assert found is not None
        assert found.tools.keys() == {"t", "u"}
    else:
        assert [(each.line, each.where) for each in faults(both)] == [(12, "tools.u.endpoint")]
    required = both.replace('required = ["kind"]', "required = []", 1)
    assert [each.where for each in faults(required)] == ["tools.u.endpoint"]


def test_endpoint_3_other_methods_and_other_origins_are_other_endpoints() -> None:
    more = '[api]\norigins = ["http://localhost:8000", "http://localhost:9"]\n'
    tool = '[tools.{0}]\nscopes = ["account:read"]\nendpoint = "{1}"\n'
    at = ["POST /x", "DELETE /x", "GET /x", "POST http://localhost:9/x"]
    policy = loads((BASE + "".join(map(tool.format, "tuvw", at)) + more).encode())
    for method, there in zip(("POST", "DELETE", "GET", "HEAD"), "tuvv", strict=True):
        found = policy.endpoints("http://localhost:8000").find(method, "/x")
        assert found is not None
        assert list(found.tools) == [there]


def test_all_faults_of_syntax_at_once() -> None:
    text = (
        "[site]\nname = Harbor\norigin 'x'\n[scopes.a:b]\ntitle = 'x'\n[scopes.c\ntitle = 'x'\nwrites = no\n"
    )
    assert [fault.line for fault in faults(text)] == [2, 3, 4, 6, 8]


def test_lines_count_through_comments_and_what_windows_writes() -> None:
    text = "\ufeff" + ("# ö\n" + BASE + "\n\n[lifetimes] # x\nwait = 26 # y\n").replace("\n", "\r\n")
    (fault,) = faults(text)
    assert (fault.line, fault.where) == (11, "lifetimes.wait")


def test_a_file_that_is_not_utf_8_is_a_fault() -> None:
    with pytest.raises(PolicyError) as raised:
        loads(b"[site]\nname = '\xe9'\n")
    assert raised.value.faults == [PolicyFault(2, "file", "not UTF-8; save the file in that encoding")]


def test_the_error_reads_as_its_faults() -> None:
    with pytest.raises(PolicyError, match=r"\A4: tool: no such key; did you mean \"tools\"\?\Z"):
        loads((SITE + "[tool]\n").encode())


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "deputize.toml")


KEYS = re.findall(
    r"\S+",
    """
    site name origin issuer rp_id api audience origins keys scopes title writes tools public approval when
    describe executes direct input_schema properties type agents opaque lifetimes grant grant_max session
    wait a "account:read" "" "[key]" '*'
    """,
)
VALUES = re.findall(
    r"\S+",
    """
    1 -1 true "1h" "always" "x" "http://localhost" nan 2026-01-01 [] {} '' ["account:read"] {when={}} "{{a}}"
    [[1],{}] {a=[1]} x \"\"\" [ }
    """,
)
DOTTED = st.lists(st.sampled_from(KEYS), min_size=1, max_size=4).map(".".join)
LINES = st.one_of(
    DOTTED.map(lambda key: f"[{key}]"),
    DOTTED.map(lambda key: f"[[{key}]]"),
    st.tuples(DOTTED, st.sampled_from(VALUES)).map(" = ".join),
    st.text(max_size=20),
)


def outcome(data: bytes) -> Policy | list[PolicyFault]:
    try:
        return loads(data)
    except PolicyError as error:
        return error.faults


@settings(max_examples=500)
@given(st.lists(LINES, max_size=12).map("\n".join), st.booleans())
def test_any_text_is_a_policy_or_faults(text: str, based: bool) -> None:
    data = ((TOOL if based else "") + text).encode()
    result = outcome(data)
    if not isinstance(result, Policy):
        assert result
        assert all(1 <= fault.line <= data.count(b"\n") + 1 and fault.message for fault in result)


@given(st.binary(max_size=200))
def test_any_bytes_are_faults(data: bytes) -> None:
    assert not isinstance(outcome(data), Policy)
