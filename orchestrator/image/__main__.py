"""``python -m orchestrator.image build [--force] [--out FILE]``: what `make sandbox-image` calls.

The engine is found as everywhere else: see ``orchestrator.sandbox.discovery``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from orchestrator.errors import OrchestratorError
from orchestrator.image.build import ensure_image
from orchestrator.image.model import TAG
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine
from orchestrator.settings import Settings


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m orchestrator.image", description="Build the sandbox image.")
    parser.add_argument("verb", choices=["build"])
    parser.add_argument("--force", action="store_true", help="build anew, with packages and wheels fetched afresh")
    parser.add_argument("--out", type=Path, help="also keep the docker-archive here (implies a build)")
    parser.add_argument("--state-dir", type=Path, help="default: the settings' state_dir")
    return parser.parse_args()


def _say(message: str) -> None:
    sys.stderr.write(f"image: {message}\n")


def main() -> int:
    arguments = _arguments()
    settings = Settings()
    state_dir = arguments.state_dir or settings.state_dir
    try:
        store = DockerEngine(engine_url(settings))
        image = ensure_image(
            store, state_dir, settings.cache_dir, progress=_say, force=arguments.force, out=arguments.out
        )
    except OrchestratorError as error:
        _say(error.message + (f"\nimage: {error.hint}" if error.hint else ""))
        return error.exit_code
    packages = ", ".join(f"{name} {version}" for name, version in image.packages.items())
    sys.stdout.write(f"{image.image_id}\n")
    _say(f"{TAG}: {image.size_bytes / 2**20:.1f} MB, Python {image.python_version}, {packages}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
