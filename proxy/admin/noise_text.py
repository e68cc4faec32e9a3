"""What noise runs say of a signature, as one sentence with its numbers. See docs/comparing.md, Noise."""

from __future__ import annotations

from typing import Any

from proxy.admin.figures import count, share
from proxy.core.noise import DOUBT_LEVEL, LEVEL, SHAPE_LEVEL

Json = dict[str, Any]
_CONCLUSIONS = {
    "mismatch": "more often with new",
    "noise": "noise",
    "unproven": "not proven to be noise, nor more often with new",
}
_LEAST_SHOWN = 0.0001  # a smaller p says no more


def noise_sentence(row: Json) -> str:
    """Both shares, how often new stood alone, and what follows; "" where the route had no noise run.

    "differs in 3.1 % of 2,013 pairs with new, in 2.9 % of 1,940 pairs of legacy with itself; where one of three answers
    stood alone, it was new's 30 of 88 times (by chance a third): noise (p = 0.41, in doubt below 0.02)"
    """
    noise = row.get("noise")
    if not noise:
        return ""
    verb = f"is {row['shape']!r}" if noise["of_shape"] else "differs"
    return (
        f"{verb} in {_rate(noise, 'new')} with new, in {_rate(noise, 'self')} of legacy with itself{_alone(noise)}: "
        f"{_CONCLUSIONS[noise['verdict']]} ({_chance(noise['p'])}, {_rule(noise)})"
    )


def _alone(noise: Json) -> str:
    """Of shapes, and before legacy was asked twice while new answered too, there is nothing to say."""
    times = noise["new_alone"] + noise["first_alone"] + noise["again_alone"]
    if not times:
        return ""
    of_times = f"{count(noise['new_alone'])} of {count(times)} times"
    return f"; where one of three answers stood alone, it was new's {of_times} (by chance a third)"


def _rule(noise: Json) -> str:
    """What p was held against."""
    if noise["verdict"] == "noise":
        return f"in doubt below {DOUBT_LEVEL:g}"
    return f"proven below {SHAPE_LEVEL if noise['of_shape'] else LEVEL:g}"


def _rate(noise: Json, side: str) -> str:
    shown, pairs = noise[f"{side}_shown"], noise[f"{side}_pairs"]
    return f"{share(shown / pairs) if pairs else share(0.0)} of {count(pairs)} pairs"


def _chance(p: float) -> str:
    return f"p < {_LEAST_SHOWN:g}" if p < _LEAST_SHOWN else f"p = {p:.2g}"
