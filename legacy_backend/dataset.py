"""The data set that both backends start from: 50 feeds, 10,000 items, 40 users, the same in every run.

Nothing here depends on the clock, the machine or the hash seed. Legacy writes it into tables, the new backend
migrates it into documents; neither adds to it. What users do afterwards is state, and lives in the databases.
"""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

FEED_COUNT = 50
ITEMS_PER_FEED = 200
USER_COUNT = 40
SUBSCRIPTIONS_PER_USER = 8
SEED = 20_261_101
NEWEST = datetime(2026, 11, 1, 10, 0, 0, tzinfo=UTC)

# scrypt's memory is 128 * n * r bytes, here 2 MiB, about 4 ms: a demo signs in often. A real service takes
# n = 2**17 (OWASP Password Storage Cheat Sheet).
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**11, 8, 1

_SUBJECTS = (
    "Bread & Butter", "Sea & Sail", "Night Trains", "Slow Cities", "Ink & Paper", "Open Source", "Café Notes",
    "Garden & Field", "Small Machines", "Old Maps", "Bicycles & Bridges", "Weather", "Über Räder", "Long Reads",
    "Type & Print", "Mountain Huts", "River & Lake", "Radio", "Chess", "Stars & Dust", "Repair", "Wool & Thread",
    "Lighthouses", "Markets & Money", "Birds",
)  # fmt: skip
_PERIODS = ("Weekly", "Daily")
_LANGUAGES = ("en", "en", "en", "de", "fr")
_TAGS = (
    "architecture", "books", "cities", "cooking", "design", "energy", "history", "maps", "music", "nature",
    "science", "software", "sports", "travel", "weather",
)  # fmt: skip
_OPENERS = ("How", "Why", "When", "Where", "What happens if")
_ACTORS = (
    "a baker", "the harbour", "a small team", "the night train", "an old library", "the city", "a lighthouse keeper",
    "the river", "a chess club", "the printing press", "a bicycle maker", "the observatory", "a mountain hut",
    "the radio station", "a market hall", "the ferry",
)  # fmt: skip
_ACTIONS = (
    "learns to repair", "leaves behind", "measures", "remembers", "rebuilds", "paints", "counts", "forgets",
    "shares", "saves",
)  # fmt: skip
_OBJECTS = (
    "its clocks", "salt & pepper", "a thousand maps", "the winter", "<em>everything</em>", "old software",
    "the long way home", "a café", "bread", "the stars", "two bridges", "its music", "quiet energy", "lost books",
)  # fmt: skip
_AUTHORS = ("Ada Brandt", "Björn Falk", "Chidi Okafor", "Dana O'Neil", "Élise Martin", "Farid Haddad", "Grete Vos")
_GIVEN = ("Alva", "Bela", "Cleo", "Dario", "Edda", "Finn", "Gala", "Hugo", "Ines", "Juno")
_FAMILY = ("Ahlers", "Bianchi", "Costa", "Dahl")

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Feed:
    """A source of items; `tags` are in the editor's order."""

    id: int
    title: str
    site_url: str
    description: str
    language: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One article. `published` is Unix seconds; `score` is from 0 to 100 with six decimals.

    Items of a feed are published in pairs with equal timestamps, as a batch import leaves them.
    """

    id: int
    feed_id: int
    title: str
    author: str
    url: str
    summary: str
    published: int
    score: float
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class User:
    """A reader. `feed_ids` are the first subscriptions, `read_item_ids` what was read before the demo began."""

    id: int
    login: str
    name: str
    password: str
    feed_ids: tuple[int, ...]
    read_item_ids: tuple[int, ...]

    @property
    def password_hash(self) -> str:
        return hash_password(self.login, self.password)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything, each in the order of its ids (from 1)."""

    feeds: tuple[Feed, ...]
    items: tuple[Item, ...]
    users: tuple[User, ...]


@cache
def build_dataset() -> Dataset:
    """The data set; equal in every process."""
    chance = random.Random(SEED)  # noqa: S311  # sample data, not a secret
    feeds = tuple(_build_feed(feed_id, chance) for feed_id in range(1, FEED_COUNT + 1))
    items = tuple(_build_item(feed, index, chance) for feed in feeds for index in range(ITEMS_PER_FEED))
    users = tuple(_build_user(user_id, chance) for user_id in range(1, USER_COUNT + 1))
    return Dataset(feeds, items, users)


def find_words(text: str) -> list[str]:
    """The words of a text in lower case, each once, in order: what search matches, on both backends."""
    return list(dict.fromkeys(_WORD.findall(text.lower())))


def hash_password(login: str, password: str) -> str:
    """The scrypt of the password with the login as salt, in hex: the same for one user on every start."""
    secret = password.encode("utf-8", "surrogatepass")  # JSON may carry lone surrogates
    return hashlib.scrypt(secret, salt=login.encode(), n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).hex()


def _build_feed(feed_id: int, chance: random.Random) -> Feed:
    period, subject = divmod(feed_id - 1, len(_SUBJECTS))
    title = f"{_SUBJECTS[subject]} {_PERIODS[period]}"
    return Feed(
        id=feed_id,
        title=title,
        site_url=f"https://feed-{feed_id:02d}.example/",
        description=f"All about {_SUBJECTS[subject].lower()}, {_PERIODS[period].lower()}.",
        language=_LANGUAGES[feed_id % len(_LANGUAGES)],
        tags=tuple(chance.sample(_TAGS, 3)),
    )


def _build_item(feed: Feed, index: int, chance: random.Random) -> Item:
    item_id = (feed.id - 1) * ITEMS_PER_FEED + index + 1
    pairs_before_newest = (ITEMS_PER_FEED - 1 - index) // 2
    age = timedelta(hours=6 * pairs_before_newest, minutes=feed.id)
    words = (chance.choice(_OPENERS), chance.choice(_ACTORS), chance.choice(_ACTIONS), chance.choice(_OBJECTS))
    author = chance.choice(_AUTHORS)
    return Item(
        id=item_id,
        feed_id=feed.id,
        title=" ".join(words),
        author=author,
        url=f"{feed.site_url}articles/{item_id}",
        summary=f"{author} on {words[1]}, and on {words[3]}.",
        published=int((NEWEST - age).timestamp()),
        score=round(chance.random() * 100, 6),
        tags=tuple(chance.sample(_TAGS, chance.randint(1, 3))),
    )


def _build_user(user_id: int, chance: random.Random) -> User:
    feed_ids = tuple(sorted(chance.sample(range(1, FEED_COUNT + 1), SUBSCRIPTIONS_PER_USER)))
    read = (
        (feed_id - 1) * ITEMS_PER_FEED + index + 1
        for feed_id in feed_ids
        for index in range(chance.randint(0, ITEMS_PER_FEED // 2))
    )
    family, given = divmod(user_id - 1, len(_GIVEN))
    return User(
        id=user_id,
        login=f"reader{user_id:02d}",
        name=f"{_GIVEN[given]} {_FAMILY[family]}",
        password=f"paper-boat-{user_id:02d}",
        feed_ids=feed_ids,
        read_item_ids=tuple(read),
    )
