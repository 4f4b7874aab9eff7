"""Skill manifests: the JSON document that describes one skill, validated into frozen values."""

from orchestrator.manifest.document import manifest_document
from orchestrator.manifest.load import load_manifest
from orchestrator.manifest.model import SkillManifest, VaultGrants
from orchestrator.manifest.schema import manifest_schema

__all__ = ["SkillManifest", "VaultGrants", "load_manifest", "manifest_document", "manifest_schema"]
