"""A Kafka that requires SASL_SSL or mTLS and denies what no ACL allows, and users for it."""

import importlib.util
import socket
import string
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from agents.acls import Acl, principal
from agents.settings import Settings
from tests.integration.certificates import Authority
from tests.integration.kafka import SCRIPT
from tests.ports import free_port

START_LIMIT_S = 90.0
CLUSTER_ID = "bGl2ZXB1bHNlLXNlY3VyZQ"
TEMPLATE = Path(__file__).with_name("secure_kafka.properties")
PASSWORD = "correct horse battery staple"

Way = Literal["SASL_SSL", "SSL"]

_OPERATIONS = {
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}
_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}


@dataclass(frozen=True)
class SecureKafka:
    """A broker that answers on two ports, one for passwords and one for certificates."""

    authority: Authority
    ports: dict[Way, int]

    def login(self, user: str, way: Way) -> dict[str, Any]:
        """Return the settings with which a user comes in."""
        common = {
            "kafka_bootstrap": f"127.0.0.1:{self.ports[way]}",
            "kafka_security_protocol": way,
            "kafka_ssl_ca_file": str(self.authority.ca_file),
        }
        if way == "SASL_SSL":
            return common | {
                "kafka_sasl_mechanism": "SCRAM-SHA-512",
                "kafka_sasl_username": user,
                "kafka_sasl_password": PASSWORD,
            }
        certificate, key = self.authority.issue(user)
        return common | {"kafka_ssl_cert_file": str(certificate), "kafka_ssl_key_file": str(key)}

    def admin(self) -> AdminClient:
        """Connect as the user who may do everything."""
        return AdminClient(Settings(**self.login("root", "SSL")).confluent_config())

    def enrol(self, users: Iterable[str]) -> None:
        """Give users their password."""
        strength = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        wanted = [UserScramCredentialUpsertion(u, strength, PASSWORD.encode()) for u in users]
        admin = self.admin()
        for done in admin.alter_user_scram_credentials(wanted).values():
            done.result()

    def grant(self, settings: Settings, acls: Iterable[Acl]) -> None:
        """Allow this and nothing else."""
        wanted = [one for acl in acls for one in _bindings(settings, acl)]
        admin = self.admin()
        for done in admin.create_acls(wanted).values():
            done.result()


def _bindings(settings: Settings, acl: Acl) -> Iterator[AclBinding]:
    pattern = ResourcePatternType.PREFIXED if acl.prefixed else ResourcePatternType.LITERAL
    user = f"User:{principal(settings, acl.role)}"
    for operation in acl.operations:
        yield AclBinding(
            _RESOURCES[acl.resource], acl.name, pattern, user, "*",
            _OPERATIONS[operation], AclPermissionType.ALLOW,
        )  # fmt: skip


@contextmanager
def running_secure_kafka(directory: Path) -> Iterator[SecureKafka]:
    """Run a broker that ends with the block or this process.

    Raises FileNotFoundError when Java or Maven is not installed.
    """
    kafka = SecureKafka(Authority(directory), {"SASL_SSL": free_port(), "SSL": free_port()})
    properties = _properties(kafka, directory)
    java = _java()
    subprocess.run(
        java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties),
        check=True, capture_output=True,
    )  # fmt: skip
    log = directory / "kafka.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *java("kafka.Kafka", properties)],
            cwd=directory, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        ) as broker,
    ):  # fmt: skip
        try:
            _wait_until_it_answers(kafka, broker, log)
            yield kafka
        finally:
            broker.kill()


def _properties(kafka: SecureKafka, directory: Path) -> Path:
    filled = string.Template(TEMPLATE.read_text()).substitute(
        directory=directory, controller_port=free_port(),
        sasl_port=kafka.ports["SASL_SSL"], mtls_port=kafka.ports["SSL"],
        keystore=kafka.authority.keystore("broker"), truststore=kafka.authority.ca_file,
    )  # fmt: skip
    properties = directory / "server.properties"
    properties.write_text(filled)
    return properties


def _java() -> Any:
    """Return the function of the local broker's script that makes a Java command line."""
    spec = importlib.util.spec_from_file_location("livepulse_kafka_local", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.java


def _wait_until_it_answers(kafka: SecureKafka, broker: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + START_LIMIT_S
    while broker.poll() is None and time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", kafka.ports["SSL"])).close()
            if kafka.admin().list_topics(timeout=5).brokers:
                return
        except (OSError, KafkaException):
            time.sleep(0.1)
    raise RuntimeError(log.read_text(errors="replace")[-3_000:])
