"""Prints the JSON Schema of `migration.yaml`: `python -m proxy.config > config/migration.schema.json`."""

import sys

from proxy.config.schema import schema_text

sys.stdout.write(schema_text())
