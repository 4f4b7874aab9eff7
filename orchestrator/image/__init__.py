"""Builds the sandbox image from Debian packages and pinned wheels, and remembers which one was built."""

from orchestrator.image.build import build_image, ensure_image
from orchestrator.image.model import TAG, BuiltImage, ImageStore, verify
from orchestrator.image.state import recall, remember

__all__ = ["TAG", "BuiltImage", "ImageStore", "build_image", "ensure_image", "recall", "remember", "verify"]
