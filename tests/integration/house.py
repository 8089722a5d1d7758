"""A deployment on a Kafka and a Redis that deny by default, with a user for every role."""

import uuid
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource
from msgspec import structs
from redis import Redis

from agents.acls import REDIS_USERS, ROLES, Acl, Role, acls, principal
from agents.settings import Settings
from agents.topics import topics
from tests.agents.command_line import CommandLine
from tests.integration.cluster import Site
from tests.integration.secure_kafka import SecureKafka, Way
from tests.integration.secure_redis import SecureRedis

PARTITIONS = 2


class House:
    """Users that may do nothing until ``grant`` says what; nobody else has their topics."""

    def __init__(self, kafka: SecureKafka, redis: SecureRedis, directory: Path) -> None:
        name = f"sec-{uuid.uuid4().hex[:8]}"
        self.settings = Settings(
            app_id=name, topic_prefix=f"{name}.", redis_prefix=name, partitions=PARTITIONS,
            session_timeout_s=6,
        )  # fmt: skip
        self.redis = redis
        self._kafka = kafka
        self._directory = directory
        kafka.enrol(principal(self.settings, role) for role in ROLES)
        redis.enrol(self.settings, REDIS_USERS)

    def topics(self) -> list[str]:
        """Return the names of all topics."""
        return [spec.name for spec in topics(self.settings)]

    def grant(self, wanted: Iterable[Acl]) -> None:
        """Allow this at Kafka and nothing else."""
        self._kafka.grant(self.settings, wanted)

    def all_but(self, role: Role, resource: str, name: str, operation: str) -> list[Acl]:
        """Return the documented permissions without one operation."""
        kept = []
        found = False
        for acl in acls(self.settings):
            left = acl.operations
            if (acl.role, acl.resource, acl.name) == (role, resource, name) and operation in left:
                found = True
                left = tuple(one for one in left if one != operation)
            kept += [structs.replace(acl, operations=left)] if left else []
        assert found, f"{role} has no {operation} on {resource} {name}"
        return kept

    def as_role(self, role: Role, way: Way = "SASL_SSL") -> Site:
        """Return the deployment as the user of a role sees it."""
        return self._site(principal(self.settings, role), way)

    def as_root(self) -> Site:
        """Return the deployment as the user who may do everything sees it."""
        return self._site("root", "SSL")

    def as_screen(self) -> Settings:
        """Return the settings of the screen, which needs no Kafka."""
        user = f"{self.settings.app_id}-screen"
        return structs.replace(self.settings, **self.redis.login(user))

    def alter(self, topic: str, **config: str) -> None:
        """Change a topic's configuration; in names ``_`` stands for a dot."""
        entries = [
            ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for name, value in config.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        admin = self._kafka.admin()
        for done in admin.incremental_alter_configs([resource]).values():
            done.result()

    def root_redis(self) -> Redis:
        """Connect to Redis as the user who may do everything."""
        return self.redis.root()

    def _site(self, user: str, way: Way) -> Site:
        login = self._kafka.login(user, way)
        login |= self.redis.login(f"{self.settings.app_id}-worker")
        return Site(structs.replace(self.settings, **login), self._directory)


def as_user(shell: CommandLine, settings: Settings) -> CommandLine:
    """Set the settings that say who and where; the others keep their defaults."""
    given = structs.asdict(settings)
    named = [name for name in given if name.startswith(("kafka_", "redis_"))]
    values = {name: given[name] for name in (*named, "app_id", "topic_prefix", "partitions")}
    shell.set(**{name: str(value) for name, value in values.items() if value is not None})
    return shell
