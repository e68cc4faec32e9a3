"""The admin side: JSON API, metrics, probes, the control room, and the reports made from what the API answers.

Import what you need from its module; this package imports nothing, so that the commands start fast.
"""
