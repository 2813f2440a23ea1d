"""Query text -> tokens, their reader, and the literals that need more than a look: numbers, durations and strings."""

import re
from typing import NamedTuple, NoReturn

from controller.embedded.promql.errors import parse_error, unsupported

__all__ = ["Reader", "Token", "duration", "number", "tokens", "unquoted"]


class Token(NamedTuple):
    """A token: `kind` is number, duration, string, name, operator or end; `offset` counts characters."""

    kind: str
    text: str
    offset: int


_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+ | \#[^\n]*)
    | (?P<duration>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdw]))*(?![a-zA-Z0-9_]))
    | (?P<number>(?:0[xX][0-9a-fA-F_]+ | (?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![a-zA-Z0-9_.]))
    | (?P<string>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `[^`]*`)
    | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    | (?P<operator>==|!=|<=|>=|=~|!~|[-+*/%^<>=(){}\[\],@:])
    """,
    re.VERBOSE,
)
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS = (365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)

_ESCAPE = re.compile(
    r"""\\(?:(?P<plain>[abfnrtv\\'"])|(?P<octal>[0-7]{3})|x(?P<byte>[0-9a-fA-F]{2})"""
    r"""|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<bad>.|$))""",
    re.DOTALL,
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def tokens(text: str) -> list[Token]:
    """The tokens of a query, the last of kind `end`; BadQuery where there is none to be made."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if text[position] in "\"'`":
                raise parse_error(text, position, "unterminated quoted string")
            if text[position].isdecimal():
                raise parse_error(text, position, f"bad number or duration syntax: {text[position : position + 12]!r}")
            raise parse_error(text, position, f"unexpected character: {text[position]!r}")
        position = match.end()
        kind = match.lastgroup or ""
        if kind == "name" and match[0].startswith(":") and found and found[-1].kind in ("duration", "number"):
            # In a selector's brackets a colon begins the step of a subquery, never a name.
            kind, position = "operator", match.start() + 1
        if kind != "space":
            found.append(Token(kind, text[match.start() : position], match.start()))
    return [*found, Token("end", "", len(text))]


def duration(text: str) -> float | None:
    """A duration such as 1m30s or 500ms in seconds; None when it is none (units out of order, or twice)."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        return None
    return sum(int(amount or 0) * unit for amount, unit in zip(match.groups(), _UNITS, strict=True)) / 1000


def number(text: str) -> float | None:
    """A number as Go reads it: decimal, hexadecimal, octal with a leading zero, underscores between digits."""
    try:
        if text[:2] in ("0x", "0X"):
            return float(int(text, 16))
        if text.isdecimal() and text.startswith("0") and not set(text) & set("89"):
            return float(int(text, 8))
        return float(text)
    except ValueError:
        return None


def unquoted(literal: str) -> str | None:
    """The content of a quoted string with Go's escapes; None when an escape is wrong. Back quotes keep everything."""
    quote, body = literal[0], literal[1:-1]
    if quote == "`":
        return body
    content = bytearray()
    position = 0
    for match in _ESCAPE.finditer(body):
        content += body[position : match.start()].encode()
        position = match.end()
        if match["bad"] is not None or (match["plain"] in ("'", '"') and match["plain"] != quote):
            return None
        if match["plain"]:
            content += _PLAIN.get(match["plain"], match["plain"]).encode()
        elif match["octal"] or match["byte"]:
            value = int(match["octal"], 8) if match["octal"] else int(match["byte"], 16)
            if value > 255:
                return None
            content.append(value)
        else:
            code = int(match["short"] or match["long"], 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                return None
            content += chr(code).encode()
    content += body[position:].encode()
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


class Reader:
    """The tokens of one query, one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._position = 0

    @property
    def next(self) -> Token:
        """The token that comes next; at the end always the one of kind `end`."""
        return self._tokens[self._position]

    @property
    def second(self) -> Token:
        """The one after it."""
        return self._tokens[min(self._position + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """The next token, and on to the one after it."""
        token = self.next
        self._position += token.kind != "end"
        return token

    def takes(self, text: str) -> bool:
        """Whether the next token is this operator or keyword (in any case); then it is taken."""
        found = self.next.kind in ("operator", "name") and self.next.text.lower() == text
        self._position += found
        return found

    def expect(self, text: str, context: str) -> None:
        """Take this operator; BadQuery when something else comes."""
        if not self.takes(text):
            self.unexpected(context, f'"{text}"')

    def unexpected(self, context: str, expected: str = "") -> NoReturn:
        """BadQuery: the next token does not belong here."""
        token = self.next
        shown = {"end": "end of input", "operator": f'"{token.text}"'}.get(token.kind, f"{token.kind} {token.text}")
        self.fail(token.offset, f"unexpected {shown} in {context}" + (f", expected {expected}" if expected else ""))

    def fail(self, offset: int, problem: str) -> NoReturn:
        """BadQuery: what stands at `offset` is wrong."""
        raise parse_error(self._text, offset, problem)

    def refuse(self, offset: int, what: str) -> NoReturn:
        """BadQuery: Prometheus knows what stands at `offset`, this subset does not."""
        raise unsupported(self._text, offset, what)

    def back(self, token: Token) -> None:
        """Put the token that was just taken back."""
        self._position -= token.kind != "end"
