"""The JSON Schema of `migration.yaml`, for editors; `python -m proxy.config` prints it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from proxy.config.shape import MigrationShape

if TYPE_CHECKING:
    from pydantic_core import core_schema


class _Generator(GenerateJsonSchema):
    """Pydantic's schema without null: a key of the file has a value or isn't there."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        generated = super().default_schema(schema)
        return {key: value for key, value in generated.items() if key != "default" or value is not None}


def schema() -> dict[str, Any]:
    """The schema, as draft 2020-12."""
    generated = MigrationShape.model_json_schema(schema_generator=_Generator)
    return {"$schema": _Generator.schema_dialect, **generated}


def schema_text() -> str:
    """The schema as the file in `config/` holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
