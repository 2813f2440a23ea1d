"""How a rule of the manifest is declared once and enforced twice: by the API server (CEL) and by the operator (Python).

A `Rule` about one value is metadata of the field's type (`Annotated[str, Rule(...)]`); a rule about several fields
stands in `RULES` of its model. Which rules there are is the business of the modules that declare the models.

The API server refuses a CRD whose rules might cost too much. Hence every string has a maxLength and every list a
maxItems, int-or-string is kept out of lists (before Kubernetes 1.34 its length counts as unbounded), and only text is
quoted in a message, because `string(number)` exceeds the budget a hundredfold.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["BROKEN_RULES", "Model", "Rule"]

T_contra = TypeVar("T_contra", contravariant=True)

#: The type of the pydantic error that carries broken rules; `ctx["broken"]` is a list of (field, sentence).
BROKEN_RULES = "broken_rules"


@dataclass(frozen=True)
class Rule(Generic[T_contra]):
    """One rule: `cel` for the API server, `check` for the operator, `message` for the user of either.

    The message says what must be and what to write. `fields` are the fields (as the user writes them) that a rule of a
    model is about: the error is shown at the first. `quotes`: all of them are text, and the API server quotes them in
    its sentence; the operator quotes numbers too. The one value of a rule without fields is quoted by both.
    """

    cel: str
    message: str
    check: Callable[[T_contra], bool]
    fields: tuple[str, ...] = ()
    quotes: bool = False

    def validation(self) -> dict[str, str]:
        """The entry of x-kubernetes-validations."""
        entry = {"rule": self.cel, "message": self.message}
        if self.fields:
            entry["fieldPath"] = f".{self.fields[0]}"
        if self.quotes:
            quoted = ", ".join(f"{name} \"' + self.{name} + '\"" for name in self.fields)
            entry["messageExpression"] = f"'{self.message} (got {quoted})'"
        return entry

    def error(self, value: Any) -> PydanticCustomError:
        """The error for pydantic when one `value` breaks the rule."""
        return broken([(None, f"{self.message} (got {json.dumps(value, ensure_ascii=False)})")])

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def verify(value: Any) -> Any:
            if not self.check(value):
                raise self.error(value)
            return value

        return core_schema.no_info_after_validator_function(verify, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        shape = handler(schema)
        shape.setdefault("x-kubernetes-validations", []).append(self.validation())
        return shape


def broken(rules: list[tuple[str | None, str]]) -> PydanticCustomError:
    """The error for pydantic about (field or None, sentence) pairs."""
    return PydanticCustomError(BROKEN_RULES, "broken rules", {"broken": rules})


class Model(BaseModel):
    """The base of all parts of the manifest: camelCase outside, frozen, nothing accepted that is not a field."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, serialize_by_alias=True, allow_inf_nan=False
    )

    RULES: ClassVar[tuple[Rule[Any], ...]] = ()

    @model_validator(mode="after")
    def _obey(self) -> Self:
        failed = [rule for rule in self.RULES if not rule.check(self)]
        if failed:
            raise broken([(rule.fields[0], self._sentence(rule)) for rule in failed])
        return self

    def _sentence(self, rule: Rule[Any]) -> str:
        written = self.model_dump(mode="json", exclude_unset=True)
        found = {name: written[name] for name in rule.fields if isinstance(written.get(name), int | float | str)}
        values = ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in found.items())
        return f"{rule.message} (got {values})" if values else rule.message

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(schema)
        if cls.RULES:
            shape = handler.resolve_ref_schema(reference)
            shape["x-kubernetes-validations"] = [rule.validation() for rule in cls.RULES]
        return reference
