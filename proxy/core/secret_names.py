"""Which names stand for secrets: headers, JSON members, form fields, query parameters, variables in scripts.

Names are compared in lower case and without separators, so that `access_token`, `accessToken` and `Access-Token`
are one. When in doubt a name counts as secret: a masked value is still compared, it just isn't shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEPARATORS = re.compile(r"[\W_]+")
# What separates the parts of names like `user[password]` and `card.number`.
_PARTS = re.compile(r"[\[\].]+")

# Sources: OWASP Logging Cheat Sheet ("data to exclude"), PCI DSS 4.0 §3.3 (card data), and the default lists of
# Sentry's and Datadog's scrubbers.
_CONTAINED = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "motdepasse",
    "secret",
    "apikey",
    "privatekey",
    "accesskey",
    "encryptionkey",
    "signingkey",
    "credential",
    "creditcard",
    "cardnumber",
    "securitycode",
    "authorization",
    "changeoverdebug",  # our own token
    "sessionid",
    "sessiontoken",
    "accesstoken",
    "refreshtoken",
    "socialsecurity",
    "accountnumber",
    "routingnumber",
    "connectionstring",
    "cardholder",
    "recoverycode",
    "backupcode",
    "verificationcode",
    "samlresponse",
    "sshkey",
    "sharedkey",
    "masterkey",
    "hmackey",
    "dbpass",
    "userpass",
    "onetimecode",
    "mfacode",
    "otpcode",
)
_ENDINGS = ("token", "tokens", "pwd", "jwt")
_WHOLE = frozenset(
    {
        "auth",
        "authcode",
        "authentication",
        "authkey",
        "bban",
        "bearer",
        "card",
        "cardcvc",
        "cardcvv",
        "cardexpiry",
        "cardno",
        "cardnum",
        "ccnumber",
        "clientassertion",
        "codeverifier",
        "cookie",
        "cookies",
        "csc",
        "csrf",
        "cvc",
        "cvc2",
        "cvn",
        "cvv",
        "cvv2",
        "cvvcode",
        "expirationmonth",
        "expirationyear",
        "expmonth",
        "expyear",
        "iban",
        "jsessionid",
        "nationalid",
        "otp",
        "pan",
        "pass",
        "passportnumber",
        "phpsessid",
        "pin",
        "pincode",
        "pw",
        "rememberme",
        "sess",
        "sessid",
        "session",
        "sessionkey",
        "setcookie",
        "sid",
        "sig",
        "signature",
        "sortcode",
        "sslclientcert",
        "ssn",
        "taxid",
        "totp",
        "xamzsignature",
        "xauth",
        "xauthkey",
        "xcsrf",
        "xgoogsignature",
        "xsession",
        "xsrf",
        "xsslclientcert",
        "xxsrf",
    }
)

# Names come from whoever sends requests, so what is remembered about them is bounded.
_MAX_REMEMBERED = 20_000
_MAX_NAME_CHARS = 256


BUILT_IN = {"contains": _CONTAINED, "ends with": _ENDINGS, "is": tuple(sorted(_WHOLE))}
"""The built-in list, in lower case and without separators, as docs/masking.md has it."""


class SecretNames:
    """The built-in names and the operator's.

    Remembers its verdicts, in a plain dict: threads may share it, and decide a name twice at worst.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._own = frozenset(_plain(name) for name in names)
        self._remembered: dict[str, bool] = {}

    def has(self, name: str) -> bool:
        """Whether a value under this name is a secret. Names of over 256 characters always are."""
        if len(name) > _MAX_NAME_CHARS:
            return True
        known = self._remembered.get(name)
        if known is None:
            known = self._decide(name)
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[name] = known
        return known

    def _decide(self, name: str) -> bool:
        return any(self._is_secret(_plain(part)) for part in (name, *_PARTS.split(name)))

    def _is_secret(self, plain: str) -> bool:
        return (
            plain in _WHOLE
            or plain in self._own
            or plain.endswith(_ENDINGS)
            or any(stem in plain for stem in _CONTAINED)
        )


def _plain(name: str) -> str:
    """The name as it is compared; names without a letter or digit stay as they are."""
    return _SEPARATORS.sub("", name).casefold() or name
