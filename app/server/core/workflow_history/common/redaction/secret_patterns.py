"""Patterns of known keys, as their vendors publish them. Data only.

A rule is tried only if one of its hints is in the text: finding a substring is a hundred times as fast as
matching an expression. Every expression runs in time proportional to any text: it begins at its hint, and
its repetitions are bounded or possessive.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class SecretPattern(NamedTuple):
    """One kind of secret."""

    kind: str  # kind shown in the mark that replaces the secret
    hints: tuple[str, ...]  # substrings, one of which is in every such secret
    pattern: re.Pattern[str]  # the group `secret` is the secret; without this group, the whole match


_START: Final = (
    r"(?:(?<![A-Za-z0-9])"
    r"|(?<=\[[0-9]m)|(?<=\[[0-9]{2}m))"  # end of a terminal colour code whose beginning is missing
)
_END: Final = r"(?![A-Za-z0-9])"


def _token_pattern(kind: str, hints: str, expression: str) -> SecretPattern:
    return SecretPattern(kind, tuple(hints.split()), re.compile(_START + expression, re.ASCII))


TOKEN_PATTERNS: Final = (
    _token_pattern("anthropic key", "sk-ant-", r"sk-ant-[\w-]{16,}"),
    _token_pattern(
        "api key",
        "sk-",
        r"sk-(?:(?:proj|svcacct|admin|service|None)-(?=[A-Za-z_-]*[0-9])[\w-]{32,}"
        r"|(?:[a-z]{2,12}-){0,2}(?:v1-)?(?=[A-Za-z]*+[0-9])[A-Za-z0-9]{28,})",
    ),
    _token_pattern(
        "github token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    ),
    _token_pattern(
        "gitlab token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glimt- glagent- glsoat- gloas- glffct-",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas|ffct)-[\w.-]{16,}",
    ),
    _token_pattern(
        "aws key id", "AKIA ASIA ABIA ACCA", r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9+/=_-])"
    ),
    _token_pattern("slack token", "xox xapp-", r"(?:xox[abeoprs]-[A-Za-z0-9.-]{10,}|xapp-[0-9]-[\w-]{10,})"),
    _token_pattern(
        "google key", "AIza GOCSPX- ya29.", r"(?:AIza[\w-]{35}(?![\w+/=])|GOCSPX-[\w-]{20,}|ya29\.[\w-]{20,})"
    ),
    _token_pattern(
        "stripe key",
        "sk_live_ sk_test_ rk_live_ rk_test_ whsec_",
        r"(?:[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/]{16,}={0,2})",
    ),
    _token_pattern("npm token", "npm_", r"npm_(?=[A-Za-z]*+[0-9])[A-Za-z0-9]{30,}"),
    _token_pattern("pypi token", "pypi-", r"pypi-[A-Za-z0-9_-]{40,}"),
    _token_pattern("hugging face token", "hf_ api_org_", r"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    _token_pattern("sendgrid key", "SG.", r"SG\.[\w-]{16,32}\.[\w-]{16,64}"),
    _token_pattern("twilio key", "SK AC", r"(?:SK|AC)[0-9a-f]{32}" + _END),
    _token_pattern("square token", "sq0 EAAA", r"(?:sq0[a-z]{3}-[\w-]{22,}|EAAA[\w-]{60})"),
    _token_pattern("shopify token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
    _token_pattern("digitalocean token", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[0-9a-f]{40,}"),
    _token_pattern("telegram token", ":AA", r"[0-9]{8,10}:AA[\w-]{32,34}(?![\w-])"),
    _token_pattern("mailgun key", "key-", r"key-[0-9a-f]{32}" + _END),
    _token_pattern(
        "service token",
        "gsk_ xai- r8_ pplx- nvapi- dapi lin_api_ ntn_ hvs. dckr_pat_ PMAK- glsa_ sntrys_ figd_ tvly- fw_ "
        "AGE-SECRET-KEY-1 ATATT3 rubygems_ phc_ phx_",
        r"(?:gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{30,}|pplx-[A-Za-z0-9]{40,}"
        r"|nvapi-[\w-]{40,}|dapi[0-9a-f]{32}|lin_api_[A-Za-z0-9]{30,}|ntn_[A-Za-z0-9]{30,}|hvs\.[\w-]{24,}"
        r"|dckr_pat_[\w-]{20,}|PMAK-[0-9a-f]{24}-[0-9a-f]{20,}|glsa_\w{30,}|sntrys_[\w+/=]{40,}"
        r"|figd_[\w-]{30,}|tvly-[\w-]{24,}|fw_[A-Za-z0-9]{22,}|AGE-SECRET-KEY-1[A-Z0-9]{50,}"
        r"|ATATT3[\w=-]{50,}|rubygems_[0-9a-f]{40,}|ph[cx]_[A-Za-z0-9]{40,})",
    ),
    _token_pattern(
        "web token",
        "eyJ",
        r"eyJ[\w-]{8,}+\.eyJ[\w-]{8,}+(?:\.[\w-]{8,})?",
    ),
)
"""Keys that are recognized by their own format."""

LONG_TOKEN: Final = re.compile(r"[A-Za-z0-9_\-]{16,}+")
"""Part of every token; texts with shorter words only are not searched for tokens."""

TOKEN_PRECHECK: Final = re.compile(
    "|".join(re.escape(hint) for rule in TOKEN_PATTERNS for hint in rule.hints)
)
MAX_LOOKBEHIND: Final = max(len(hint) for rule in TOKEN_PATTERNS for hint in rule.hints)
