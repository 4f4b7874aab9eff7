"""scan_child.py with a scanner that has a fault: the text says which. Limits and protocol are the real ones."""

from __future__ import annotations

import os
import signal
import sys
import time

sys.path.extend(sys.argv[4:])

from orchestrator.validation import examine as module
from orchestrator.validation import scan_child
from orchestrator.validation.inspection import Inspection, digest_of


def faulty(code: str) -> Inspection:
    what, _, given = code.partition(" ")
    if what == "spin":
        until = time.process_time() + float(given)
        while time.process_time() < until:
            pass
    elif what == "eat":
        bytearray(int(given))
    elif what == "signal":
        os.kill(os.getpid(), int(given))
    elif what == "exit":
        os._exit(int(given))
    elif what == "raise":
        raise RuntimeError
    elif what == "write":
        with open(given, "w") as file:  # noqa: PTH123 - as any code would
            file.write("something")
    elif what == "answer":
        os.write(1, bytes.fromhex(given))
        signal.pause()
    elif what == "other":
        return Inspection(digest_of("other code"), (), ())
    return Inspection(digest_of(code), (), ())


module.examine = faulty
if __name__ == "__main__":
    scan_child.main()
