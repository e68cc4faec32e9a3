"""Measures Changeover beside nginx and Envoy, in one run and on one core each.

Run from the root of a checkout: `scripts/bench`, or `python -m bench`. It is no part of the distribution and
imports nothing from `proxy`: the proxies are started as their users start them. `bench/README.md` says how.
"""
