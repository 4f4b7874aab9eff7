"""JSON values and JSON Schema, made safe for schemas and documents that strangers wrote.

Knows nothing of skills. The manifest, the policies, inputs and outputs are all checked through here:

* ``values``: strict deep copies of Python values, frozen and thawed forms.
* ``vet``: is this schema one we are willing to evaluate?
* ``evaluation``: evaluate it, within a budget of work, and get ``Problem`` values back.
* ``patterns``, ``formats``, ``keywords``, ``explain``: the parts of that.
"""

from orchestrator.schemas.evaluation import CompiledSchema, SchemaError, compiled
from orchestrator.schemas.values import copy_json, freeze, pointer, thaw
from orchestrator.schemas.vet import vet_schema

__all__ = ["CompiledSchema", "SchemaError", "compiled", "copy_json", "freeze", "pointer", "thaw", "vet_schema"]
