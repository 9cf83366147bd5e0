"""Values in a policy file: each function takes what TOML has and returns what that means.

ValueError says what is wrong with it and what to write instead.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from deputize.protocol import vkey
from deputize.protocol.canonical import unb64u
from deputize.protocol.endpoint import Endpoint
from deputize.protocol.policy import AT_WITNESSES
from deputize.protocol.quota import Rate
from deputize.protocol.shown import plain
from deputize.protocol.url import is_secure

_ORIGIN = re.compile(r"(https?)://((?:[a-z0-9-]+\.)*[a-z0-9-]+)(?::([0-9]{1,5}))?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_PAGE_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean "…"?` if one of the words is near, else nothing."""
    near = get_close_matches(word, list(words), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def words(text: str) -> str:
    """Read words that users see."""
    if not text.strip() or plain(text) != text:
        raise ValueError("users read this: write some words, in one line and without invisible characters")
    return text


def head(text: str) -> str:
    """Read where the newest checkpoint is: the path of a file, which commands find from any folder, or `witnesses`."""
    if text != AT_WITNESSES and (not text.startswith("/") or text.endswith("/") or plain(text) != text):
        raise ValueError('write the whole path of a file: "/mnt/other/site.checkpoint"; or "witnesses"')
    return text


def origin(text: str) -> str:
    """Read an origin as browsers write it (RFC 6454 §6.2)."""
    match = _ORIGIN.fullmatch(text)
    if match is None:
        near = _ORIGIN.match(text.lower())
        example = near[0] if near else "https://site.example"
        raise ValueError(
            f'write scheme, host and perhaps a port, in lower case and nothing else: "{example}"'
        )
    scheme, host, port = match.groups()
    suffix = host.rpartition(".")[2]
    if suffix.isdigit():
        raise ValueError('passkeys need a host with a name; on this machine write "localhost"')
    if scheme == "http" and suffix != "localhost":
        raise ValueError('write "https://": browsers give passkeys to "http://" on localhost only')
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError("write a port from 1 to 65535")
    if (scheme, port) in (("http", "80"), ("https", "443")):
        raise ValueError(f'write "{scheme}://{host}": browsers leave out :{port}')
    return text


def issuer(text: str) -> str:
    """Read an issuer: an origin, and a path or none (RFC 8414 §2)."""
    match = _ORIGIN.match(text)
    if match is None or not _PATH.fullmatch(text[match.end() :]):
        raise ValueError(
            "write an origin and perhaps a path, without a slash at the end, a query or a fragment: "
            '"https://site.example/deputize"'
        )
    origin(match[0])
    return text


def page(text: str) -> str:
    """Read the address of a page of the site: an origin and a path."""
    match = _ORIGIN.match(text)
    if match is None or not _PAGE_PATH.fullmatch(text[match.end() :]):
        raise ValueError('write an origin and a path: "https://site.example/login"')
    origin(match[0])
    return text


def endpoint(value: object) -> Endpoint:
    """Read the endpoint of a tool."""
    if not isinstance(value, str):
        raise ValueError("write a text, in quotes")
    return Endpoint.parse(value)


def host(url: str) -> str:
    """Return the host of an origin or issuer."""
    return urlsplit(url).hostname or ""


def rp_id(text: str, hosts: list[str]) -> str:
    """Read an rp id: each of these hosts, or a domain above it (WebAuthn L3 §5.1.3 step 8)."""
    for each in hosts:
        if each != text and not ("." in text and each.endswith("." + text)):
            common = _common_domain(hosts)
            advice = f'write "{common}"' if common else "origin and issuer need a domain that both are in"
            raise ValueError(f'a passkey for "{text}" does not work on {each}; {advice}')
    return text


def _common_domain(hosts: list[str]) -> str | None:
    """Return the longest domain of two labels or more that all hosts are in, or the one host."""
    first = hosts[0].split(".")
    for start in range(len(first)):
        domain = ".".join(first[start:])
        if all(each == domain or ("." in domain and each.endswith("." + domain)) for each in hosts):
            return domain
    return None


def seconds(low: int, high: int, value: object) -> int:
    """Read a time from `low` to `high`, in seconds or as `"1h"`."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        value = int(match[1]) * _UNITS[match[2]]
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError('write seconds as a number, or a time like "90s", "15m", "12h", "30d"')
    if not low <= value <= high:
        raise ValueError(f"{value} seconds are out of range; write {low} to {high}")
    return value


_DAY, _CENTURY = 86400, 36525 * 86400


def kept(value: object) -> int | None:
    """Read how long something is kept, a day at least; None, in the file `false`, is for good."""
    if value is False:
        return None
    try:
        return seconds(_DAY, _CENTURY, value)
    except ValueError:
        raise ValueError(
            'write a time from "1d" to "36525d", or false for as long as there is room'
        ) from None


_RATE = re.compile(r"([0-9]{1,9}) in ([0-9]{1,9}[smhd])")
_MOST = 1_000_000_000


def _without_end(value: object) -> bool:
    """Tell whether a quota is `false`, for no limit; ValueError for `true` and 0."""
    if value is True or (value == 0 and value is not False):
        raise ValueError("write how many there may be, from 1 on, or false for as many as come")
    return value is False


def at_once(value: object) -> int | None:
    """Read how many there may be at a time; None, in the file `false`, is without limit."""
    if _without_end(value):
        return None
    if not isinstance(value, int) or not 1 <= value <= _MOST:
        raise ValueError(f"write a number from 1 to {_MOST}, or false for as many as come")
    return value


def rate(value: object) -> Rate | None:
    """Read a rate, as `"1000 in 10m"`; None, in the file `false`, is without limit."""
    if _without_end(value):
        return None
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[1]) <= _MOST:
        raise ValueError('write how many in which time, like "1000 in 10m", or false for as many as come')
    return Rate(int(match[1]), seconds(1, 366 * 86400, match[2]))


def network(text: str) -> IPv4Network | IPv6Network:
    """Read an address, or a network of them in CIDR notation (RFC 4632 §3.1)."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(
            f'write an address or a network, as "127.0.0.1" or "10.1.0.0/16": {error}'
        ) from error


def count(low: int, high: int, value: object) -> int:
    """Read a number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"write a whole number from {low} to {high}")
    return value


def cosigner(text: str) -> str:
    """Read the key of a witness, and return it as it is."""
    try:
        vkey.read(text, vkey.COSIGNATURE)
    except ValueError:
        raise ValueError(
            "not the key of a witness that cosigns by Ed25519: name+id+base64, as c2sp.org/tlog-cosignature has it"
        ) from None
    return text


def secure(text: str) -> str:
    """Read a URL that is reached by https, or by http on this machine, and return it as it is."""
    if not is_secure(text):
        raise ValueError("write a URL with https, or with http on this machine")
    return text


def jwk(value: object) -> dict[str, str]:
    """Read a public P-256 JWK (RFC 7518 §6.2.1); returns `kty`, `crv`, `x`, `y`, and `kid` if there is one."""
    if not isinstance(value, dict):
        raise ValueError('write a JWK: { kty = "EC", crv = "P-256", x = "…", y = "…" }')
    if "d" in value:
        raise ValueError("this key is private, and now it is known: make another, and write its public half")
    try:
        key: dict[str, str] = {name: value[name] for name in ("kty", "crv", "x", "y")}
        point = [unb64u(key[name]) for name in "xy"]
        if (key["kty"], key["crv"]) != ("EC", "P-256") or any(len(coordinate) != 32 for coordinate in point):
            raise ValueError("another kind of key")
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), b"\4" + b"".join(point))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            'not a public P-256 key; write a JWK with kty = "EC", crv = "P-256", x and y'
        ) from error
    return {**key, "kid": value["kid"]} if isinstance(value.get("kid"), str) else key


def absolute(path: str) -> str:
    """Take the path of a file, from the root: what starts the authority, and where, makes no difference."""
    if not path.startswith("/") or "\0" in path:
        raise ValueError('write where the file is, from the root: "/run/secrets/openid"')
    return path


def variable(name: str) -> str:
    """Take the name of a variable of the environment, and nothing that looks like what should be in it."""
    if _VARIABLE.fullmatch(name) is None:
        raise ValueError(
            'write the name of a variable of the environment, in capitals: "OPENID_CLIENT_SECRET"'
        )
    return name
