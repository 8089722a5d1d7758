"""A Redis that listens with TLS only, and knows its users by name, password and rules."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from agents.acls import RedisUser, redis_rule
from agents.redis_client import connect_sync
from agents.settings import Settings
from tests.integration.certificates import Authority
from tests.ports import free_port
from tests.redis_server import PATIENT, command_of

PASSWORD = "a-long-password-of-redis"
RULES = f"user default off\nuser root on >{PASSWORD} ~* &* +@all\n"


@dataclass(frozen=True)
class SecureRedis:
    """A Redis that answers with TLS: where, and who vouches for it."""

    url: str
    ca_file: Path

    def login(self, user: str) -> dict[str, Any]:
        """Return the settings with which a user comes in."""
        return {
            "redis_url": self.url,
            "redis_username": user,
            "redis_password": PASSWORD,
            "redis_ssl_ca_file": str(self.ca_file),
        }

    def root(self) -> redis.Redis:
        """Connect as the user who may do everything."""
        return connect_sync(Settings(**self.login("root")))

    def enrol(self, settings: Settings, users: Iterable[RedisUser]) -> None:
        """Make users by the very rules that the document shows."""
        with self.root() as root:
            for user in users:
                _, name, *rules = redis_rule(settings, user, password=PASSWORD).split()
                root.execute_command("ACL", "SETUSER", name, "reset", *rules)


@contextmanager
def running_secure_redis(directory: Path) -> Iterator[SecureRedis]:
    """Run a Redis that ends with the block or this process.

    Raises FileNotFoundError when redis-server is not installed.
    """
    program = shutil.which("redis-server")  # the bundled one has no TLS
    if program is None:
        raise FileNotFoundError("redis-server is not installed: apt install redis-server")
    authority = Authority(directory)
    certificate, key = authority.issue("redis")
    rules = directory / "users.acl"
    rules.write_text(RULES)
    port = free_port()
    tls = {
        "--port": 0, "--tls-port": port, "--tls-cert-file": certificate, "--tls-key-file": key,
        "--tls-ca-cert-file": authority.ca_file, "--tls-auth-clients": "no", "--aclfile": rules,
    }  # fmt: skip
    command = command_of(program, directory, *(str(x) for pair in tls.items() for x in pair))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            url = f"rediss://127.0.0.1:{port}/0"
            inside = f"rediss://root:{PASSWORD}@127.0.0.1:{port}/0?ssl_ca_certs={authority.ca_file}"
            with redis.Redis.from_url(inside, retry=PATIENT) as client:
                client.ping()
            yield SecureRedis(url, authority.ca_file)
        finally:
            server.terminate()
