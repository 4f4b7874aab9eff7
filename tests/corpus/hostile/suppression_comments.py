# expect: ORC101 at all
import subprocess  # nosec # noqa # type: ignore
