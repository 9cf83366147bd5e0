"""The secret by which the site's OpenID provider knows us, where it wants one (OPENID-1): read when it is used."""

import base64
import logging
import os
from pathlib import Path
from urllib.parse import quote_plus

from ..protocol.login import OpenId
from ..protocol.openid import refused

_LOG = logging.getLogger("deputize")
_MAX_SECRET = 1024


def read(openid: OpenId) -> str:
    """Return the secret; Refused(sign_in_failed), and a line in the log for the owner, if there is none to be read."""
    if openid.secret_file is not None:
        where = f"client_secret_file, {openid.secret_file}"
        try:
            text = Path(openid.secret_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            text, where = "", f"{where} ({type(error).__name__})"
    else:
        where = f"client_secret_env, {openid.secret_env}"
        text = os.environ.get(openid.secret_env or "", "")
    secret = text.strip()
    if not secret or len(secret) > _MAX_SECRET or not secret.isprintable():
        _LOG.error("no client secret for %s: there is none in %s", openid.where, where)
        raise refused("the client secret of the authority is not there, its log says where it should be")
    return secret


def basic(client_id: str, secret: str) -> str:
    """Write both as an `Authorization` (RFC 6749 §2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
