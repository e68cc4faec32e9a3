"""Which metrics a PromQL expression asks for, and by which labels: its names, not its meaning.

Grammar: prometheus.io/docs/prometheus/latest/querying/basics. Variables of Grafana ($route) are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from proxy.admin.families import FAMILIES

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<range>\[[^\]]*\])|(?P<number>\d[\w.]*)"""
    r"""|(?P<name>[A-Za-z_:][\w:]*)|(?P<mark>[=!]~|!=|[{}(),=]|[-+*/%^<>!]=?)|(?P<blank>\s+)"""
)
GROUPING = frozenset({"by", "without", "on", "ignoring"})
WORDS = frozenset({"and", "or", "unless", "bool", "offset"})
FUNCTIONS = frozenset(
    {"sum", "min", "max", "count", "rate", "increase", "changes", "histogram_quantile", "absent", "label_values"}
)
OF_PROMETHEUS = {"up": {"job"}}
OF_SCRAPE = frozenset({"job", "instance"})  # added to every series by Prometheus itself


def known_series() -> dict[str, set[str]]:
    """Name of a series -> its labels, as a scrape of Changeover has them."""
    known = dict(OF_PROMETHEUS)
    for each in FAMILIES:
        if each.type == "histogram":
            known |= {f"{each.scraped_name}_{part}": set(each.labels) for part in ("bucket", "sum", "count")}
            known[f"{each.scraped_name}_bucket"].add("le")
        else:
            known[each.scraped_name] = set(each.labels)
    return {name: labels | OF_SCRAPE for name, labels in known.items()}


@dataclass
class Asked:
    """`series`: name -> labels in its braces. `grouped`: labels that the results are told apart by."""

    series: dict[str, set[str]] = field(default_factory=dict)
    grouped: set[str] = field(default_factory=set)


def asked_by(expression: str) -> Asked:
    """Raises ValueError for what isn't PromQL as we write it."""
    tokens = _tokens(expression)
    asked = Asked()
    at = 0
    while at < len(tokens):
        token, following = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ""
        at += 1
        if not re.match(r"[A-Za-z_:]", token) or token in WORDS:
            continue
        if token in GROUPING:
            end = tokens.index(")", at)
            asked.grouped |= set(tokens[at + 1 : end]) - {","}
            at = end + 1
        elif token in FUNCTIONS:
            if following not in {"(", *GROUPING}:
                raise ValueError(f"{token} is followed by {following!r} in {expression}")
        else:
            labels = asked.series.setdefault(token, set())
            if following == "{":
                end = tokens.index("}", at)
                labels |= {name for name in tokens[at + 1 : end] if re.match(r"[A-Za-z_]", name)}
                at = end + 1
    return asked


def complaints(expression: str, recorded: dict[str, set[str]] | None = None) -> list[str]:
    """What the expression asks for and nobody has. `recorded`: series of rules that may be asked for as well."""
    known = known_series() | (recorded or {})
    asked = asked_by(expression)
    unknown = [f"series {name}" for name in asked.series if name not in known]
    found = {name: labels for name, labels in asked.series.items() if name in known}
    unknown += [f"label {each} of {name}" for name, labels in found.items() for each in labels - known[name]]
    unknown += [f"grouped label {each} of {name}" for name in found for each in asked.grouped - known[name]]
    return unknown


def _tokens(expression: str) -> list[str]:
    """Without blanks, strings, ranges, numbers and Grafana's variables."""
    text = re.sub(r"\$\w+", "1", re.sub(r"\[\$\w+\]", "[5m]", expression))
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"unreadable at {text[at : at + 20]!r} in {expression}")
        at = found.end()
        if found.lastgroup in {"name", "mark"}:
            tokens.append(found[0])
    if tokens.count("(") != tokens.count(")") or tokens.count("{") != tokens.count("}"):
        raise ValueError(f"brackets don't match in {expression}")
    return tokens
