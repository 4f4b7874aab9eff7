# expect: ORC101 at all
import importlib as i
i.import_module("os")
