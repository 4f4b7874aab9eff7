"""``orchestrator image``: build the sandbox image, or look at the one that runs are pinned to."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from orchestrator.cli.configuration import load_settings
from orchestrator.cli.console import Output, Spinner, out, plain_table, put_json, safe, say
from orchestrator.cli.exits import SUCCEEDED, Exit
from orchestrator.cli.render import megabytes
from orchestrator.errors import ImageError
from orchestrator.image import BuiltImage, ensure_image, recall, verify
from orchestrator.sandbox.discovery import engine_url
from orchestrator.sandbox.docker_engine import DockerEngine


def build(*, force: bool, out: Path | None, output: Output) -> Exit:
    """Raises ``ImageError`` or ``EngineError``."""
    settings = load_settings()
    with closing(DockerEngine(engine_url(settings))) as store, Spinner("building the sandbox image") as spinner:
        store.info()  # an engine that is away is told now, not after the packages were fetched
        image = ensure_image(store, settings.state_dir, settings.cache_dir, progress=spinner.step, force=force, out=out)
    _show(image, output)
    return SUCCEEDED


def inspect(*, output: Output) -> Exit:
    """Raises ``ImageError`` when none was built, or the engine's is not the one that was."""
    settings = load_settings()
    image = recall(settings.state_dir)
    if image is None:
        raise ImageError("no sandbox image was built for this state directory yet")
    with closing(DockerEngine(engine_url(settings))) as store:
        document = store.inspect_image(image.image_id)
    if document is None:
        raise ImageError(f"the engine has lost the sandbox image {image.image_id}")
    verify(document, image)
    if output is Output.TEXT:
        say("the engine holds exactly the image that was built")
    _show(image, output)
    return SUCCEEDED


def _show(image: BuiltImage, output: Output) -> None:
    if output is Output.JSON:
        put_json(asdict(image))
        return
    table = plain_table("image", "")
    rows = {
        "id": image.image_id,
        "size": megabytes(image.size_bytes),
        "architecture": image.architecture,
        "Python": image.python_version,
        "packages": ", ".join(f"{name} {version}" for name, version in sorted(image.packages.items())) or "none",
        "Debian packages": str(len(image.debs)),
    }
    for name, value in rows.items():
        table.add_row(name, safe(value, one_line=True))
    out().print(table)
