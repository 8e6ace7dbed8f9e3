"""Text without the credentials that it quotes: what a library or a server says may name them."""

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote

_NAMES = re.compile(
    r"(ACCESS_KEY_ID|SECRET|SECRET_ACCESS_KEY|SECRET_KEY|PASSWORD|PASSWD|TOKEN|API_KEY|AUTH_STRING|CREDENTIALS?)$",
    re.IGNORECASE,
)
"""How the names of variables end whose values are credentials."""

_USER_IN_VALUE = re.compile(r"(?:[a-z0-9+.-]+://)?(?P<user>[^\s:]+:(?P<password>\S+))@", re.IGNORECASE)
_USER_IN_URL = re.compile(r"(?<=://)[^\s/@'\"]+@")

_SHORTEST = 8
"""Characters of a credential; a shorter one may be any word of the text."""


def redacted(text: str) -> str:
    """The text with `…` for each credential of this process's variables, and for the user and password of each URL."""
    # The longest first: one may be a part of another.
    for value in sorted(set(_credentials()), key=len, reverse=True):
        text = text.replace(value, "…")
    return _USER_IN_URL.sub("…@", text)


def _credentials() -> Iterator[str]:
    for name, value in os.environ.items():
        # Of <user>:<password> the latter alone, too.
        found = [value, value.partition(":")[2]] if _NAMES.search(name) else []
        if "@" in value and (user := _USER_IN_VALUE.match(value)):  # greedy: a password may hold an @ or a slash
            found += [user["user"], user["password"]]
        for credential in found:
            yield from (form for form in (credential, unquote(credential)) if len(form) >= _SHORTEST)
