"""The signature that each named difference of the demo must have: route, kind, path and shape."""

from __future__ import annotations

from new_backend.bugs import Bug

SIGNATURES = {
    Bug.DATE_FORMAT: ("feeds", "body", "$.items[*].published", "datetime format"),
    Bug.SCORE_AS_STRING: ("feeds", "body", "$.items[*].score", "number→numeric string"),
    Bug.MISSING_SITE_URL: ("feeds", "body", "$.site_url", "missing"),
    Bug.LAST_PAGE: ("feeds", "body", "$.has_more", "value"),
    Bug.TIE_ORDER: ("feeds", "body", "$.latest", "reordered"),
    Bug.NOT_FOUND_DETAIL: ("feeds", "body", "$.detail", "value"),
    Bug.COOKIE_SAMESITE: ("session", "header", "set-cookie.session.samesite", "missing"),
    Bug.DOUBLE_ESCAPED_TITLE: ("pages", "body", '$.html.body.main.h1["#text"]', "html-escaped"),
    Bug.UNREAD_OFF_BY_ONE: ("unread", "body", "$.total", "value"),
}
# Slow search changes no answer.
UNSEEN = {Bug.SLOW_SEARCH}
