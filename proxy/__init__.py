"""Changeover: routes users between two backends, shadows the traffic, compares the answers, and reports."""

__version__ = "0.1.0"
