"""`config/migration.yaml` as frozen values: read, checked, overridden from the environment, and edited in place.

Every fault names its place as `file:line:col`, all of them at once. Nothing here watches files, knows holds' owners
or talks to a store. From here the values go to the control process, and as a document to the workers.
"""

from proxy.config.add_rule import add_rule
from proxy.config.edit import set_percentage
from proxy.config.edited import changed_lines, write_edited
from proxy.config.file import read, write_atomically
from proxy.config.load import Loaded, build, load, parse
from proxy.config.schema import schema
from proxy.config.snapshot import rollout_document, rollout_from_document

__all__ = [
    "Loaded",
    "add_rule",
    "build",
    "changed_lines",
    "load",
    "parse",
    "read",
    "rollout_document",
    "rollout_from_document",
    "schema",
    "set_percentage",
    "write_atomically",
    "write_edited",
]
