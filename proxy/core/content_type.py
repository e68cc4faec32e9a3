"""What a Content-Type says about a body: whether it is JSON, a text, or bytes that nobody should look into.

Reads media types as RFC 9110 §8.3 writes them. Characters are read in `charset`, bodies in
`bodies`.
"""

from __future__ import annotations

from dataclasses import dataclass

# Types that are text although they don't begin with "text/". Everything else under application/, image/, audio/,
# video/, font/ and multipart/ is bytes.
_TEXT_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/toml",
        "application/x-javascript",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xhtml+xml",
        "application/xml",
        "application/yaml",
    }
)
_TEXT_SUFFIXES = ("+xml", "+yaml")
# Of lines of JSON none is registered; RFC 7464 and RFC 8091 register the sequences.
_RECORD_TYPES = frozenset(
    {
        "application/json-seq",
        "application/jsonl",
        "application/jsonlines",
        "application/ndjson",
        "application/x-json-stream",
        "application/x-jsonl",
        "application/x-jsonlines",
        "application/x-ldjson",
        "application/x-ndjson",
        "text/jsonl",
        "text/x-ndjson",
    }
)
_RECORD_SUFFIXES = ("+json-seq", "+ndjson", "+jsonl")
_JSON_TYPES = frozenset({"application/json", "text/json", "application/manifest+json", "text/x-json"})
_NEVER_JSON = frozenset({"text/html", "text/css", "text/csv", "application/xml", "text/xml", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type and its charset, both in lower case; "" where there is none."""

    essence: str
    charset: str = ""

    @property
    def is_json(self) -> bool:
        return self.essence in _JSON_TYPES or self.essence.endswith("+json")

    @property
    def is_records(self) -> bool:
        """Whether it is a series of JSON documents."""
        return self.essence in _RECORD_TYPES or self.essence.endswith(_RECORD_SUFFIXES)

    @property
    def is_events(self) -> bool:
        return self.essence == "text/event-stream"

    @property
    def is_form(self) -> bool:
        return self.essence == "application/x-www-form-urlencoded"

    @property
    def is_image(self) -> bool:
        return self.essence.startswith("image/")

    @property
    def is_multipart(self) -> bool:
        return self.essence.startswith("multipart/")

    @property
    def is_markup(self) -> bool:
        return self.essence.endswith(("html", "/xml", "+xml"))

    @property
    def may_be_json(self) -> bool:
        """Whether a body of this type is worth a look for JSON: it is declared so, or no other form is."""
        return self.is_json or self.essence not in _NEVER_JSON

    @property
    def is_text(self) -> bool:
        """Whether a body of this type is meant to be read as text. No type at all counts as a text."""
        return (
            self.essence == ""
            or self.essence.startswith("text/")
            or self.is_json
            or self.is_records
            or self.essence in _TEXT_TYPES
            or self.essence.endswith(_TEXT_SUFFIXES)
        )


def parse_content_type(value: str) -> ContentType:
    """The media type and charset of a Content-Type header. Never fails: nonsense is its own essence."""
    essence, *parameters = value.split(";")
    charset = ""
    for parameter in parameters:
        name, _, setting = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = setting.strip().strip("\"'").lower()
    return ContentType(essence.strip().lower(), charset)
