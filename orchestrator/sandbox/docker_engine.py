"""``DockerEngine``: the engine verbs over docker-py. The only module that imports ``docker``.

docker-py's ``APIClient`` is not thread-safe, so each thread has its own; API version and URL are settled once.
It uses the low-level client because options are a golden-tested API document, not keyword arguments.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import docker
import docker.errors
import requests.exceptions

from orchestrator.errors import EngineError, EngineUnavailable, ImageError
from orchestrator.sandbox.engine import NO_ACCESS, ContainerRow, EngineInfo
from orchestrator.text import one_line

CALL_TIMEOUT_SECONDS: Final = 60
DEFAULT_URL: Final = "unix:///var/run/docker.sock"
_POOLS: Final = 2  # idle connections of one client
_GONE: Final = frozenset({404, 409})  # no such container; removal already in progress


def _connects(url: str) -> None:
    """Raise OSError when nothing listens on a unix socket. docker-py would too, but leave its own socket open."""
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CALL_TIMEOUT_SECONDS)
            connection.connect(url.removeprefix("unix://"))


def _few_connections(client: docker.APIClient) -> None:
    """docker-py keeps an idle connection for each of the last 25 URLs (its ``num_pools`` is ignored for sockets), and
    ours name a new container every time: 25 descriptors for each thread."""
    pools = getattr(client.get_adapter(client.base_url), "pools", None)
    if pools is not None:
        pools._maxsize = _POOLS


class DockerEngine:
    """Docker Engine 20.10 or later at ``url`` (``unix://`` path or ``tcp://``).

    ``client`` makes the low-level client, for tests that record its calls.
    """

    def __init__(self, url: str | None = None, *, client: Callable[..., docker.APIClient] = docker.APIClient) -> None:
        self.url = url or DEFAULT_URL
        self._make_client = client
        self._local = threading.local()
        self._lock = threading.Lock()
        self._version: str | None = None
        self._clients: list[tuple[threading.Thread, docker.APIClient]] = []

    # plumbing

    @property
    def _api(self) -> Any:  # an APIClient; the published type stubs lack half of the calls used here
        client = getattr(self._local, "client", None)
        if client is None or self._local.pid != os.getpid():
            client = self._make_client(
                base_url=self.url,
                version=self._negotiated(),
                timeout=CALL_TIMEOUT_SECONDS,
            )
            _few_connections(client)
            client.trust_env = False  # nothing from proxy variables or netrc on the way to a local socket
            self._local.client, self._local.pid = client, os.getpid()
            self._remember(client)
        return client

    def _remember(self, client: docker.APIClient) -> None:
        """For ``close``; the clients of threads that have ended (callers', samplers') are closed now."""
        with self._lock:
            ended = [old for thread, old in self._clients if not thread.is_alive()]
            self._clients = [pair for pair in self._clients if pair[0].is_alive()]
            self._clients.append((threading.current_thread(), client))
        for old in ended:
            old.close()

    def _negotiated(self) -> str:
        """The API version both sides speak, asked once."""
        with self._lock:
            if self._version is None:
                _connects(self.url)
                probe = self._make_client(base_url=self.url, version="auto", timeout=CALL_TIMEOUT_SECONDS)
                self._version = str(probe.api_version)
                probe.close()
            return self._version

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """docker-py's and requests' exceptions as ours; the engine's words escaped and on one line."""
        try:
            yield
        except docker.errors.APIError as error:
            detail = one_line(str(error.explanation or error), 500)
            raise EngineError(f"{doing}: the engine says: {detail}") from error
        except docker.errors.DockerException as error:
            detail = one_line(str(error), 300)
            raise EngineUnavailable(f"{doing}: no container engine answers at {self.url}: {detail}") from error
        except (requests.exceptions.RequestException, OSError) as error:
            detail = one_line(str(error), 300)
            message = f"{doing}: the engine at {self.url} does not answer: {detail}"
            raise EngineUnavailable(message, hint=NO_ACCESS if "Permission denied" in detail else "") from error

    # verbs

    def info(self) -> EngineInfo:
        with self._translated("info"):
            document, version = self._api.info(), self._api.version()
        options = tuple(str(option) for option in document.get("SecurityOptions") or ())
        return EngineInfo(
            name=str((version.get("Platform") or {}).get("Name") or "Docker Engine"),
            version=str(version.get("Version", "")),
            api_version=str(version.get("ApiVersion", "")),
            kernel=str(document.get("KernelVersion", "")),
            cgroup_version=str(document.get("CgroupVersion", "1")),
            storage_driver=str(document.get("Driver", "")),
            security_options=options,
            runtimes=tuple(sorted(document.get("Runtimes") or {})),
            default_runtime=str(document.get("DefaultRuntime", "")),
            cpus=int(document.get("NCPU") or 0),
            rootless=any("rootless" in option for option in options),
            remote=not self.url.startswith(("unix://", "http+unix://")),
            raw={**document, "ServerVersionDetails": version},
        )

    def create(self, name: str, options: Mapping[str, Any]) -> str:
        with self._translated("create"):
            try:
                answer = self._api.create_container_from_config(dict(options), name)
            except docker.errors.ImageNotFound as error:
                raise ImageError(f"the engine has no image {options.get('Image')}") from error
            except docker.errors.APIError:
                raise  # the engine refused; it is a RequestException too, and that name may be somebody else's
            except requests.exceptions.RequestException:
                self._remove_quietly(name)  # a create that timed out may have made the container
                raise
        if answer.get("Warnings"):
            self.remove(str(answer["Id"]))
            warnings = one_line("; ".join(map(str, answer["Warnings"])), 500)
            raise EngineError(f"create: the engine warns, so a restriction may not apply: {warnings}")
        return str(answer["Id"])

    def _remove_quietly(self, name: str) -> None:
        try:
            self.remove(name)
        except EngineError:
            return  # the engine is gone; the sweep and the janitor know the label

    def attach(self, container_id: str) -> socket.socket:
        with self._translated("attach"):
            # docker-py's attach_socket sets no time-out for the engine's answer: a stuck engine would keep this thread.
            answer = self._api.post(
                self._api._url("/containers/{0}/attach", container_id),
                headers={"Connection": "Upgrade", "Upgrade": "tcp"},
                params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1},
                stream=True,
                timeout=CALL_TIMEOUT_SECONDS,
            )
            self._api._raise_for_status(answer)
            wrapper = self._api._get_raw_response_socket(answer)
            raw: socket.socket = getattr(wrapper, "_sock", wrapper)
            # The descriptor becomes ours: docker-py ties the original's life to its response object.
            own = socket.socket(fileno=raw.detach())
        return own

    def start(self, container_id: str) -> None:
        with self._translated("start"):
            self._api.start(container_id)

    def update(self, container_id: str, limits: Mapping[str, int]) -> None:
        with self._translated("update"):
            # docker-py's update_container lacks PidsLimit; the raw call takes the API's own names.
            path = self._api._url("/containers/{0}/update", quote(container_id, safe=""))
            # Its warnings are about the host's network; what was applied is read back by the caller's probe.
            self._api._result(self._api._post_json(path, data=dict(limits)), True)

    def inspect(self, container_id: str) -> Mapping[str, Any] | None:
        with self._translated("inspect"):
            try:
                document: Mapping[str, Any] = self._api.inspect_container(container_id)
            except docker.errors.NotFound:
                return None
        return document

    def stats(self, container_id: str) -> Iterator[Mapping[str, Any]]:
        with self._translated("stats"):
            yield from self._api.stats(container_id, decode=True, stream=True)

    def remove(self, container_id: str) -> None:
        with self._translated("remove"):
            try:
                self._api.remove_container(container_id, v=True, force=True)
            except docker.errors.APIError as error:
                if error.status_code not in _GONE:
                    raise

    def wait_removed(self, container_id: str, timeout: float) -> bool:
        with self._translated("wait"):
            try:
                self._api.wait(container_id, timeout=timeout, condition="removed")
            except docker.errors.NotFound:
                return True
            except requests.exceptions.Timeout:
                return False
            except requests.exceptions.ConnectionError as error:
                if "timed out" in str(error).lower():  # how urllib3 words a time-out while it reads
                    return False
                raise
        return True

    def list(self, labels: Mapping[str, str]) -> list[ContainerRow]:
        wanted = [f"{key}={value}" if value else key for key, value in labels.items()]
        with self._translated("list"):
            rows = self._api.containers(all=True, filters={"label": wanted})
        return [
            ContainerRow(
                id=str(row["Id"]),
                name=str((row.get("Names") or [""])[0]).lstrip("/"),
                state=str(row.get("State", "")),
                labels=dict(row.get("Labels") or {}),
            )
            for row in rows
        ]

    def close(self) -> None:
        with self._lock:
            clients, self._clients = [client for _, client in self._clients], []
        for client in clients:
            client.close()
        self._local = threading.local()

    # images

    def load_image(self, path: Path) -> str:
        """Load a docker-archive; the id of the image in it."""
        with self._translated("load image"), path.open("rb") as archive:
            lines = list(self._api.load_image(archive))
        said = "".join(str(line.get("stream") or line.get("error") or "") for line in lines)
        for word in said.split():
            if word.startswith("sha256:"):
                return word
        raise ImageError(f"the engine did not name the image it loaded: {one_line(said, 300)}")

    def inspect_image(self, reference: str) -> Mapping[str, Any] | None:
        with self._translated("inspect image"):
            try:
                document: Mapping[str, Any] = self._api.inspect_image(reference)
            except docker.errors.ImageNotFound:
                return None
        return document

    def tag_image(self, image_id: str, reference: str) -> None:
        repository, _, tag = reference.rpartition(":")
        with self._translated("tag image"):
            self._api.tag(image_id, repository, tag, force=True)
