"""Query text -> a checked tree: precedence, modifiers, and the types of every operand and argument.

The grammar is that of Prometheus' `generated_parser.y`; what it has and this subset has not is refused by name.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from controller.embedded.promql import lexer
from controller.embedded.promql.errors import parse_error
from controller.embedded.promql.expressions import (
    Aggregation,
    Binary,
    Call,
    Expression,
    Matcher,
    Matching,
    Number,
    Range,
    Selector,
    Text,
    Unary,
)
from controller.embedded.promql.functions import SIGNATURES
from controller.embedded.promql.lexer import Reader, Token
from controller.embedded.promql.values import NAME, ValueType

__all__ = ["AGGREGATORS", "COMPARISONS", "SET_OPERATORS", "parse"]

AGGREGATORS: Final = ("sum", "avg", "count", "min", "max")
COMPARISONS: Final = ("==", "!=", "<=", "<", ">=", ">")
SET_OPERATORS: Final = ("and", "or", "unless")

_FOREIGN_AGGREGATORS: Final = (
    "group stddev stdvar topk bottomk count_values quantile limitk limit_ratio".split()  # noqa: SIM905  # read as a list
)
_PRECEDENCE: Final = (
    {"or": 1, "and": 2, "unless": 2, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "atan2": 5, "^": 6}
    | dict.fromkeys(COMPARISONS, 3)
)  # fmt: skip
_POWER: Final = 6
_NOT_METRICS: Final = ("on", "ignoring", "group_left", "group_right", "bool", "atan2")


@lru_cache(maxsize=256)
def parse(text: str) -> Expression:
    """The tree of a query; BadQuery with line and column when it is wrong or not of the subset."""
    parser = _Parser(text)
    if parser.next.kind == "end":
        raise parse_error(text, 0, "no expression found in input")
    tree = parser.expression(0)
    if parser.next.kind != "end":
        parser.unexpected("expression")
    return tree


class _Parser(Reader):
    """Precedence climbing over the tokens of one query."""

    def expression(self, binding: int) -> Expression:
        """An expression whose operators all bind at least as strongly as `binding`."""
        start = self.next.offset
        left = self.unary()
        while (strength := self._operator_strength()) >= max(binding, 1):
            operator = self.take()
            modifiers = self.modifiers()
            # The power is the one operator that associates to the right.
            right = self.expression(strength if strength == _POWER else strength + 1)
            left = self.binary(operator, modifiers, left, right, start)
        return left

    def _operator_strength(self) -> int:
        return _PRECEDENCE.get(self.next.text.lower(), 0) if self.next.kind in ("operator", "name") else 0

    def unary(self) -> Expression:
        token = self.next
        if token.kind != "operator" or token.text not in "+-":
            return self.postfix()
        self.take()
        operand = self.expression(_POWER)
        negative = token.text == "-"
        if isinstance(operand, Number):
            return Number(-operand.value if negative else operand.value, token.offset)
        if operand.type not in (ValueType.SCALAR, ValueType.VECTOR):
            self.fail(
                token.offset,
                "unary expression only allowed on expressions of type scalar or instant vector, "
                f'got "{operand.type.value}"',
            )
        return Unary(negative, operand, token.offset)

    def postfix(self) -> Expression:
        opening = self.next
        operand = self.primary()
        grouped = opening.text == "("
        while True:
            token = self.next
            if token.text == "[" and token.kind == "operator":
                operand = self.range(operand, grouped)
            elif token.kind == "name" and token.text.lower() == "offset":
                self.take()
                operand = self.shifted(operand, grouped, token)
            elif token.text == "@" and token.kind == "operator":
                self.refuse(token.offset, "the @ modifier")
            elif token.kind == "name" and token.text.lower() in ("anchored", "smoothed"):
                self.refuse(token.offset, f"the modifier {token.text}")
            else:
                return operand

    def range(self, operand: Expression, grouped: bool) -> Expression:
        bracket = self.take()
        seconds = self.seconds("subquery or range selector")
        if self.next.text.startswith(":"):
            self.refuse(bracket.offset, "subqueries")
        self.expect("]", "subquery or range")
        if not isinstance(operand, Selector) or grouped:
            self.fail(bracket.offset, "ranges only allowed for vector selectors")
        if operand.shift:
            self.fail(bracket.offset, "no offset modifiers allowed before range")
        if seconds <= 0:
            self.fail(bracket.offset, "duration must be greater than 0")
        return Range(operand, round(seconds * 1000), operand.offset)

    def shifted(self, operand: Expression, grouped: bool, keyword: Token) -> Expression:
        negative = self.takes("-")
        seconds = self.seconds("offset")
        shift = round((-seconds if negative else seconds) * 1000)
        selector = operand.selector if isinstance(operand, Range) else operand
        if grouped or not isinstance(selector, Selector):
            self.fail(
                keyword.offset,
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            )
        if selector.shift:
            self.fail(keyword.offset, "offset may not be set multiple times")
        moved = Selector(selector.matchers, selector.offset, shift)
        return Range(moved, operand.span, operand.offset) if isinstance(operand, Range) else moved

    def seconds(self, context: str) -> float:
        token = self.take()
        seconds = lexer.duration(token.text) if token.kind == "duration" else None
        if token.kind == "number":
            seconds = lexer.number(token.text)
        if seconds is None:
            self.back(token)
            if token.kind == "duration":
                self.fail(token.offset, f'not a valid duration string: "{token.text}"')
            self.unexpected(context, "number or duration")
        return seconds

    def primary(self) -> Expression:
        token = self.take()
        if token.kind == "duration" or token.kind == "number" or token.text.lower() in ("inf", "nan"):
            value = lexer.duration(token.text) if token.kind == "duration" else lexer.number(token.text)
            if value is None:
                self.fail(token.offset, f'bad number or duration syntax: "{token.text}"')
            return Number(value, token.offset)
        if token.kind == "string":
            return Text(self.string(token), token.offset)
        if token.text == "(" and token.kind == "operator":
            inner = self.expression(0)
            self.expect(")", "paren expression")
            return inner
        if token.text == "{" and token.kind == "operator":
            return self.selector("", token)
        if token.kind == "name":
            return self.named(token)
        self.back(token)
        return self.unexpected("expression")

    def string(self, token: Token) -> str:
        content = lexer.unquoted(token.text)
        if content is None:
            self.fail(token.offset, f"error unquoting string {token.text}: invalid syntax")
        return content

    def named(self, token: Token) -> Expression:
        word = token.text.lower()
        follows = self.next.text.lower() if self.next.kind in ("operator", "name") else ""
        if word in AGGREGATORS and follows in ("(", "by", "without"):
            return self.aggregation(token)
        if word in _FOREIGN_AGGREGATORS and follows in ("(", "by", "without"):
            self.refuse(token.offset, f"the aggregation {word} (it has {', '.join(AGGREGATORS)})")
        if follows == "(":
            return self.call(token)
        if word in _NOT_METRICS:
            self.back(token)
            self.unexpected("expression")
        return self.selector(token.text, token)

    def selector(self, name: str, token: Token) -> Selector:
        matchers: list[Matcher] = []
        if not name or self.takes("{"):
            while not self.takes("}"):
                matchers.append(self.matcher())
                if not self.takes(",") and self.next.text != "}":
                    self.unexpected("label matching", '"," or "}"')
        if name:
            twice = [matcher.value for matcher in matchers if matcher.name == NAME]
            if twice:
                self.fail(token.offset, f'metric name must not be set twice: "{name}" or "{twice[0]}"')
            matchers.append(Matcher(NAME, "=", name))
        elif all(matcher.accepts("") for matcher in matchers):
            self.fail(token.offset, "vector selector must contain at least one non-empty matcher")
        return Selector(tuple(matchers), token.offset)

    def matcher(self) -> Matcher:
        label = self.take()
        if label.kind == "string":
            name = self.string(label)
            if self.next.text in (",", "}"):
                return Matcher(NAME, "=", name)
        elif label.kind == "name" and ":" not in label.text:
            name = label.text
        else:
            self.back(label)
            self.unexpected("label matching", 'identifier or "}"')
        operator = self.take()
        if operator.kind != "operator" or operator.text not in ("=", "!=", "=~", "!~"):
            self.back(operator)
            self.unexpected("label matching", "label matching operator")
        if self.next.kind != "string":
            self.unexpected("label matching", "string")
        value = self.take()
        try:
            return Matcher(name, operator.text, self.string(value))
        except ValueError as error:
            return self.fail(value.offset, str(error))

    def aggregation(self, token: Token) -> Aggregation:
        modifier = self.grouping()
        arguments = self.arguments()
        labels, without = modifier or self.grouping() or ((), False)
        operator = token.text.lower()
        if len(arguments) != 1:
            self.fail(
                token.offset,
                f"wrong number of arguments for aggregate expression provided, expected 1, got {len(arguments)}",
            )
        self.require(arguments[0], ValueType.VECTOR, "aggregation expression")
        return Aggregation(operator, arguments[0], labels, without, token.offset)

    def grouping(self) -> tuple[tuple[str, ...], bool] | None:
        if self.takes("by"):
            return self.labels(), False
        return (self.labels(), True) if self.takes("without") else None

    def labels(self) -> tuple[str, ...]:
        self.expect("(", "grouping opts")
        names: list[str] = []
        while not self.takes(")"):
            token = self.take()
            if token.kind not in ("name", "string") or (token.kind == "name" and ":" in token.text):
                self.back(token)
                self.unexpected("grouping opts", "label")
            names.append(self.string(token) if token.kind == "string" else token.text)
            if not self.takes(",") and self.next.text != ")":
                self.unexpected("grouping opts", '"," or ")"')
        return tuple(names)

    def arguments(self) -> list[Expression]:
        self.expect("(", "function call")
        found: list[Expression] = []
        while not self.takes(")"):
            found.append(self.expression(0))
            if self.takes(","):
                if self.next.text == ")":
                    self.fail(self.next.offset, "trailing commas not allowed in function call args")
            elif self.next.text != ")":
                self.unexpected("function call", '"," or ")"')
        return found

    def call(self, token: Token) -> Call:
        signature = SIGNATURES.get(token.text)
        if signature is None:
            self.refuse(token.offset, f'the function "{token.text}" (it has {", ".join(sorted(SIGNATURES))})')
        arguments = self.arguments()
        least, most = len(signature.arguments) - signature.optional, len(signature.arguments)
        if not least <= len(arguments) <= most:
            wanted = f"{most}" if least == most else f"at {'least' if len(arguments) < least else 'most'} {least}"
            self.fail(token.offset, f'expected {wanted} argument(s) in call to "{token.text}", got {len(arguments)}')
        for argument, wanted_type in zip(arguments, signature.arguments, strict=False):
            self.require(argument, wanted_type, f'call to function "{token.text}"')
        return Call(token.text, tuple(arguments), signature.returns, token.offset)

    def require(self, found: Expression, wanted: ValueType, context: str) -> None:
        if found.type is not wanted:
            self.fail(found.offset, f"expected type {wanted.value} in {context}, got {found.type.value}")

    def modifiers(self) -> tuple[bool, Matching]:
        returns_bool = self.takes("bool")
        on = self.takes("on")
        if not on and not self.takes("ignoring"):
            if self.next.text.lower() in ("fill", "fill_left", "fill_right") and self.second.text == "(":
                self.refuse(self.next.offset, "fill modifiers")
            return returns_bool, Matching()
        labels = self.labels()
        many = "left" if self.takes("group_left") else "right" if self.takes("group_right") else ""
        include = self.labels() if many and self.next.text == "(" else ()
        return returns_bool, Matching(on, labels, many, include)

    def binary(
        self, token: Token, modifiers: tuple[bool, Matching], left: Expression, right: Expression, start: int
    ) -> Binary:
        operator = token.text.lower()
        returns_bool, matching = modifiers
        scalars: Sequence[bool] = [side.type is ValueType.SCALAR for side in (left, right)]
        if operator == "atan2":
            self.refuse(token.offset, "the operator atan2")
        if returns_bool and operator not in COMPARISONS:
            self.fail(token.offset, "bool modifier can only be used on comparison operators")
        if any(side.type not in (ValueType.SCALAR, ValueType.VECTOR) for side in (left, right)):
            self.fail(start, "binary expression must contain only scalar and instant vector types")
        if operator in COMPARISONS and not returns_bool and all(scalars):
            self.fail(token.offset, "comparisons between scalars must use BOOL modifier")
        if operator in SET_OPERATORS and any(scalars):
            self.fail(start, f'set operator "{operator}" not allowed in binary scalar expression')
        if operator in SET_OPERATORS and matching.many:
            self.fail(start, f'no grouping allowed for "{operator}" operation')
        if any(scalars) and matching.labels:
            self.fail(start, "vector matching only allowed between instant vectors")
        both = sorted(set(matching.labels) & set(matching.include))
        if matching.on and both:
            self.fail(token.offset, f'label "{both[0]}" must not occur in ON and GROUP clause at once')
        return Binary(operator, left, right, returns_bool, matching, start)
