"""Hypothesis strategies that generate keys in the format of each provider.

This file contains no complete key, so that secret scanners find none.
"""

from __future__ import annotations

import string
from functools import partial

from hypothesis import strategies as st

MIXED = string.ascii_letters + string.digits


def letters(count: int, alphabet: str = MIXED) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=count, max_size=count)


def after(beginning: str, count: int, alphabet: str = MIXED) -> st.SearchStrategy[str]:
    return letters(count, alphabet).map(partial(str.__add__, beginning))


HEX = string.hexdigits[:16]

TOKENS = {
    "anthropic key": after("sk-" + "ant-api03-", 95, MIXED + "_-"),
    "api key": after("sk-" + "proj-1", 80, MIXED + "_-"),
    "github token": st.one_of(after("gh" + "p_", 36), after("github" + "_pat_", 82, MIXED + "_")),
    "gitlab token": after("gl" + "pat-", 20),
    "aws key id": after("AK" + "IA", 16, string.ascii_uppercase + "234567"),
    "slack token": after("xo" + "xb-1234567890-", 24),
    "google key": after("AI" + "za", 35),
    "stripe key": after("sk" + "_live_", 24),
    "npm token": after("np" + "m_1", 35),
    "pypi token": after("py" + "pi-AgEIcHlwaS5vcmc", 80),
    "hugging face token": after("h" + "f_", 34),
    "web token": st.tuples(letters(20), letters(40), letters(43)).map(
        lambda some: f"ey{'J'}{some[0]}.ey{'J'}{some[1]}.{some[2]}"
    ),
}

_WORDS = st.sampled_from(["x7Kq9", "Zr4Tm", "p2Wd8", "nB6Ly", "3vQcJ", "h5Xs1"])
RANDOM = st.lists(_WORDS, min_size=4, max_size=6, unique=True).map("".join)
"""Strategy for random passwords that contain no words, like generated ones."""

TOLD = {
    "PASSWORD=": RANDOM,
    '"api_key": "': RANDOM,
    "client_secret: ": RANDOM,
    "curl --token ": RANDOM,
    "Authorization: Bearer ": RANDOM,
    "AccountKey=": after("", 86).map(lambda key: key + "=="),
    "postgresql://me:": RANDOM,
}
"""Strategies by text before a secret that identifies it as one."""

PRIVATE_KEYS = st.lists(letters(64), min_size=3, max_size=8).map(
    lambda lines: "\n".join(
        ["-----BEGIN RSA " + "PRIVATE KEY-----", *lines, "-----END RSA " + "PRIVATE KEY-----"]
    )
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a secret and a text that contains it."""
    sort = draw(st.sampled_from([*TOKENS, *TOLD, "private key"]))
    before, after_it = (
        draw(st.sampled_from(["", "use ", "a\n", '{"x": "', "(", "body\\n"])),
        draw(st.sampled_from(["", " now", "\nb", '"', ")", "\\n"])),
    )
    if sort in TOKENS:
        secret = draw(TOKENS[sort])
        return secret, f"{before}{secret}{after_it}"
    if sort in TOLD:
        secret = draw(TOLD[sort])
        after_it = "@db.example.org/x" if "://" in sort else after_it
        return secret, f"{before}{sort}{secret}{after_it}"
    secret = draw(PRIVATE_KEYS)
    return secret.splitlines()[1], f"{before}{secret}{after_it}"
