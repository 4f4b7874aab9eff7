"""The verbs by noun: their names, options and help. Each hands on to the module beside this package that does the work.

Those modules are imported inside the verbs alone, so that `orchestrator --help` waits for none of them.
"""
