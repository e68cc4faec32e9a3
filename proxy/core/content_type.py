"""What a Content-Type says about a body: whether it is JSON, a text, or bytes that nobody should look into.

Reads media types as RFC 9110 §8.3 writes them. Bodies themselves are read in `bodies`.
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
        "application/json-seq",
        "application/ndjson",
        "application/toml",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xhtml+xml",
        "application/xml",
        "application/yaml",
    }
)
_TEXT_SUFFIXES = ("+xml", "+yaml")
_JSON_TYPES = frozenset({"application/json", "text/json", "application/manifest+json", "text/x-json"})
_NEVER_JSON = frozenset({"text/html", "text/css", "text/csv", "application/xml", "text/xml", "application/xhtml+xml"})

# Charsets whose bytes can be read, masked and written again. UTF-16 and UTF-32 are left out: RFC 8259 §8.1 and
# the WHATWG encoding standard both tell servers not to send them. Names are Python's, from WHATWG's labels.
_CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
    "iso-8859-2": "iso8859-2",
    "iso-8859-15": "iso8859-15",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "koi8-r": "koi8-r",
    "shift_jis": "shift_jis",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
    "gbk": "gbk",
    "gb2312": "gbk",
    "gb18030": "gb18030",
    "big5": "big5",
}


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type and its charset, both in lower case; "" where there is none."""

    essence: str
    charset: str = ""

    @property
    def is_json(self) -> bool:
        return self.essence in _JSON_TYPES or self.essence.endswith("+json")

    @property
    def is_form(self) -> bool:
        return self.essence == "application/x-www-form-urlencoded"

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
            or self.essence in _TEXT_TYPES
            or self.essence.endswith(_TEXT_SUFFIXES)
        )

    @property
    def codec(self) -> str | None:
        """Python's codec for the body's characters, or None for a charset that we don't read.

        JSON is UTF-8 whatever the charset parameter says (RFC 8259 §8.1, §11).
        """
        if self.is_json or not self.charset:
            return "utf-8"
        return _CHARSETS.get(self.charset)


def parse_content_type(value: str) -> ContentType:
    """The media type and charset of a Content-Type header. Never fails: nonsense is its own essence."""
    essence, *parameters = value.split(";")
    charset = ""
    for parameter in parameters:
        name, _, setting = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = setting.strip().strip("\"'").lower()
    return ContentType(essence.strip().lower(), charset)


def text_of(content_type: ContentType, body: bytes) -> str | None:
    """The body as characters, or None where it isn't a text: by its type, its charset, or its bytes.

    A NUL marks bytes that only claim to be text (the test that git and grep use).
    """
    codec = content_type.codec
    if codec is None or not content_type.is_text or b"\x00" in body:
        return None
    try:
        return body.decode(codec)
    except UnicodeDecodeError:
        return None
