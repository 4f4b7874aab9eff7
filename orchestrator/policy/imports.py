"""Imports of modules that do not come with Python, held against the manifest's dependencies and the image's packages.

Whether a level allows a module is code.py's business. Here: is its distribution listed, and is it there at all?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from packaging.utils import canonicalize_name

from orchestrator.policy.model import DottedNames
from orchestrator.policy.requests import DISTRIBUTION_MODULES, modules_of
from orchestrator.validation.finding import Finding
from orchestrator.validation.names import STDLIB_MODULES, prefixes
from orchestrator.validation.rules import make_finding

_MOST = 20


def judge_imports(
    imports: Mapping[str, int], dependencies: DottedNames, packages: Mapping[str, str] | None
) -> Iterator[Finding]:
    """``imports``: module -> line. ``dependencies`` are the modules of the manifest's accepted dependencies; None of
    ``packages``: what the image holds is not known, and not judged."""
    held = None if packages is None else DottedNames(frozenset(_modules(packages)))
    told: set[str] = set()
    for module, line in imports.items():
        root = module.partition(".")[0]
        if root in STDLIB_MODULES or root in told or dependencies.cover(module) or len(told) >= _MOST:
            continue
        told.add(root)
        distribution = _distribution_of(module)
        if held is not None and not (held.cover(module) or held.reach_into(module)):
            message = f"the code imports {module}, and no package of the sandbox image holds it"
            fix = f'do without; or add "{distribution}" to sandbox-image/requirements.txt, `orchestrator image build`'
            yield make_finding("ORC821", module, message, line=line, column=1, fix=fix)
        elif not dependencies.reach_into(module):
            message = f"the code imports {module}, and the manifest's dependencies do not list its distribution"
            fix = f'add "{distribution}" to the manifest\'s dependencies'
            yield make_finding("ORC822", module, message, line=line, column=1, fix=fix)


def _modules(packages: Iterable[str]) -> Iterator[str]:
    for name in packages:
        yield from modules_of(canonicalize_name(name))


def _distribution_of(module: str) -> str:
    """The distribution to list for a module; by default they have the same name."""
    known = {inner: name for name, modules in DISTRIBUTION_MODULES.items() for inner in modules}
    return next((known[prefix] for prefix in prefixes(module) if prefix in known), module.partition(".")[0])
