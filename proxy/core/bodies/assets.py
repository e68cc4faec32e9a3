"""What builds put into the URLs of a page's assets: digests in names, versions in queries. It is new each time.

What a page shows must never hide behind that, so a digest has to look like one, and the place has to be a builder's:

1. Scripts, style sheets, icons, and what is preloaded for them: a digest that ends the name, a version in the query.
2. Pictures: a digest that ends the name and nothing else, after a dot (webpack, Next, Django), or after a hyphen in a
   builder's folder (Vite, Rails, Angular). Elsewhere it may say whose picture it is.
3. No other URL: `?v=` of a film is the film.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ASSETS = frozenset({"script", "link", "img", "source"})
_ICONS = frozenset({"icon", "apple-touch-icon", "mask-icon", "apple-touch-icon-precomposed"})
_CODE_LINKS = _ICONS | {"stylesheet", "modulepreload", "manifest"}
_EARLY_LINKS = frozenset({"preload", "prefetch"})
_CODE = frozenset({"script", "style", "font", "worker"})
_EACH_URL = re.compile(r"[^\s,]+")
_PICTURE_ATTRIBUTES = frozenset({"src", "srcset", "data-src", "data-srcset"})

_EXTENSION = r"(?:\.min)?\.(?:js|mjs|css|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|json|webmanifest)"
_NAME = re.compile(rf"(?<=\w)(?P<mark>[.\-_])(?P<digest>[0-9A-Za-z]{{8,64}})(?P<rest>{_EXTENSION})\Z")
# rollup's digests have eight characters of base64url, so a hyphen may be among them.
_ROLLUP_NAME = re.compile(rf"(?<=\w)(?P<mark>-)(?P<digest>[\w-]{{8}})(?P<rest>{_EXTENSION})\Z")
_FOLDER = re.compile(r"/(?:static|assets|build|dist|packs|bundles|immutable|_next|_nuxt|_app|_astro)/")
_VERSION = re.compile(r"([?&](?:v|ver|version|h|hash|t|cb)=)([\w.\-]{1,64})(?=[&#]|\Z)")
_NUMBER = re.compile(r"v?[0-9][0-9._\-]*")
_MIN_VERSION = 6  # characters of one that isn't a number, as of a short commit id
_HEX = re.compile(r"[0-9a-f]+")
_BASE_32 = re.compile(r"(?=.*[0-9])[A-Z2-7]{8}")  # esbuild, and with it Angular
_OBJECT_ID = 24  # hexadecimal digits of MongoDB's ids: the only usual length that builders don't use
_KINDS = re.compile(r"[0-9]+|[a-z]+|[A-Z]+|[^0-9a-zA-Z]+")


def without_build(element: str, attributes: Mapping[str, str | None], name: str, url: str) -> str:
    """The attribute's URL, or list of URLs, with digests and versions of builds as `{build}`."""
    if (element == "script" and name == "src") or (element == "link" and name == "href" and _is_code(attributes)):
        return _VERSION.sub(_without_version, _without_digest(url, is_code=True))
    if (element in {"img", "source"} and name in _PICTURE_ATTRIBUTES) or (
        element == "link" and name == "href" and _is_early(attributes, {"image"})
    ):
        if name.endswith("srcset"):
            return _EACH_URL.sub(lambda each: _without_digest(each[0], is_code=False), url)
        return _without_digest(url, is_code=False)
    return url


def _is_code(link: Mapping[str, str | None]) -> bool:
    return not _CODE_LINKS.isdisjoint(_words(link, "rel")) or _is_early(link, _CODE)


def _is_early(link: Mapping[str, str | None], kinds: frozenset[str] | set[str]) -> bool:
    return not (_EARLY_LINKS.isdisjoint(_words(link, "rel")) or kinds.isdisjoint(_words(link, "as")))


def _words(attributes: Mapping[str, str | None], name: str) -> list[str]:
    return (attributes.get(name) or "").lower().split()


def _without_digest(url: str, *, is_code: bool) -> str:
    end = min((place for mark in "?#" if (place := url.find(mark)) >= 0), default=len(url))
    path = url[:end]
    for pattern in (_NAME, _ROLLUP_NAME) if is_code else (_NAME,):
        found = pattern.search(path)
        if found is not None and _is_built(found, is_code=is_code):
            return f"{path[: found.start()]}{found['mark']}{{build}}{found['rest']}{url[end:]}"
    return url


def _is_built(found: re.Match[str], *, is_code: bool) -> bool:
    if is_code:
        return _looks_random(found["digest"], 1)
    is_place = found["mark"] == "." or (found["mark"] == "-" and _FOLDER.search(found.string) is not None)
    return is_place and len(found["digest"]) != _OBJECT_ID and _looks_random(found["digest"], 2)


def _without_version(found: re.Match[str]) -> str:
    name, value = found.groups()
    is_version = _NUMBER.fullmatch(value) is not None or (len(value) >= _MIN_VERSION and _looks_random(value, 1))
    return f"{name}{{build}}" if is_version else found[0]


def _looks_random(word: str, changes: int) -> bool:
    """Whether the word is a digest, by its alphabet and by how often letters and digits change over.

    `changes` are those that are asked of hexadecimal digits. A name with a year at its end (`Summer2024`) has two.
    """
    runs = _KINDS.findall(word)
    if not any(run.isdigit() for run in runs):
        return False
    if _HEX.fullmatch(word):
        return len(runs) > changes
    return _BASE_32.fullmatch(word) is not None or len(runs) > 3
