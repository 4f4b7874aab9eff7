"""A socket that others may use, passed on byte for byte to the engine's own, which may be root's alone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Until ``source`` ends; then end ``target``'s input, as a half-closed stream does."""
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _serve(client: socket.socket, engine: Path) -> None:
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(str(engine))
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


@contextmanager
def relayed(engine: Path, public: Path) -> Iterator[str]:
    """The URL of a socket at ``public`` that anybody may connect to."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(public))
        public.chmod(0o666)
        listener.listen(64)

        def accept() -> None:
            with suppress(OSError):  # closed at the end
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=_serve, args=(client, engine), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"unix://{public}"
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
