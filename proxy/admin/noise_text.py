"""What noise runs say of a signature, as one sentence with its numbers. See docs/comparing.md, Noise."""

from __future__ import annotations

from typing import Any

from proxy.admin.figures import count, share

Json = dict[str, Any]
_CONCLUSIONS = {
    "mismatch": "more often with new",
    "noise": "noise",
    "unproven": "not proven to be noise, nor more often with new",
}
_LEAST_SHOWN = 0.0001  # a smaller p says no more


def noise_sentence(row: Json) -> str:
    """Both shares and what follows from them; "" where the route had no noise run.

    "differs in 3.1 % of 2,013 pairs with new, in 2.9 % of 1,940 pairs of legacy with itself: noise (p = 0.41)"
    """
    noise = row.get("noise")
    if not noise:
        return ""
    verb = f"is {row['shape']!r}" if noise["of_shape"] else "differs"
    return (
        f"{verb} in {_rate(noise, 'new')} with new, in {_rate(noise, 'self')} of legacy with itself: "
        f"{_CONCLUSIONS[noise['verdict']]} ({_chance(noise['p'])})"
    )


def _rate(noise: Json, side: str) -> str:
    shown, pairs = noise[f"{side}_shown"], noise[f"{side}_pairs"]
    return f"{share(shown / pairs) if pairs else share(0.0)} of {count(pairs)} pairs"


def _chance(p: float) -> str:
    return f"p < {_LEAST_SHOWN:g}" if p < _LEAST_SHOWN else f"p = {p:.2g}"
