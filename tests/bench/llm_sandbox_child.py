"""Runs in llm-sandbox's own virtual environment: a pool, and one run for each line on standard input.

Answers each line with the run's seconds on standard output, beginning with one line once the pool is warm. The session
is opened and closed for every run, as its documentation shows; the container goes back to the pool and is used again.
"""

from __future__ import annotations

import json
import sys
import time

import docker
from llm_sandbox import SandboxBackend  # type: ignore[import-not-found]
from llm_sandbox.pool import (  # type: ignore[import-not-found]
    PoolConfig,
    PooledSandboxSession,
    create_pool_manager,
)


def main() -> None:
    url, image, size, limits = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    pool = create_pool_manager(
        client=docker.DockerClient(base_url=url),
        backend=SandboxBackend.DOCKER,
        config=PoolConfig(min_pool_size=size, max_pool_size=size, enable_prewarming=True),
        lang="python",
        image=image,
        runtime_configs=limits,
        skip_environment_setup=True,
    )
    try:
        once(pool)
        print("warm", flush=True)
        for _line in sys.stdin:
            print(once(pool), flush=True)
    finally:
        pool.close()


def once(pool: object) -> float:
    began = time.perf_counter()
    with PooledSandboxSession(pool_manager=pool, lang="python") as session:
        result = session.run("import json")
    if result.exit_code != 0:
        raise SystemExit(f"llm-sandbox's run failed: {result.stderr}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
