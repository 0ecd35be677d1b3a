"""A live server on a free port, and the clients that people have."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import uvicorn
from botocore.config import Config

from alfine.aws.s3 import S3App
from alfine.programs.data.buckets.bucket_store import BucketStore

KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}


@dataclass(frozen=True)
class Served:
    port: int
    store: BucketStore

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def boto3(self, host: str = "127.0.0.1", **config: Any) -> Any:
        settings = Config(retries={"total_max_attempts": 1}, **config)
        return boto3.client("s3", endpoint_url=f"http://{host}:{self.port}", config=settings, **KEYS)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    app = S3App(tmp_path_factory.mktemp("buckets"))
    listening = socket.create_server(("127.0.0.1", 0))  # clients that come before the server is ready wait in its queue
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield Served(listening.getsockname()[1], app.store)
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture(scope="session")
def s3(served: Served) -> Iterator[Any]:
    client = served.boto3()
    yield client
    client.close()


_count = iter(range(1, 10**6))


@pytest.fixture
def bucket(served: Served) -> str:
    name = f"bucket-{next(_count)}"
    served.store.create_bucket(name)
    return name


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url) as client:
        yield client


@pytest.fixture
def store(tmp_path: Path) -> BucketStore:
    store = BucketStore(tmp_path / "buckets")
    store.create_bucket("here")
    return store
