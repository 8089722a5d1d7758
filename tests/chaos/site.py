"""One deployment for a run: topics of its own on the cluster, kept in few topics to be quick."""

import uuid
from pathlib import Path
from typing import Any

from msgspec import structs

from agents import admin
from agents.settings import Settings
from agents.sources import variable_of
from agents.topics import FAMILY_OF
from schemas.events import TOPICS
from streams.policy import Policy
from tests.chaos.brokers import Cluster
from tests.integration.cluster import Site

PARTITIONS = 4
SESSION_TIMEOUT_S = 6
#: No cap bites, nobody falls silent, and a quiet room is noticed soon.
POLICY = Policy(idle_ms=1_000, silence_ms=6 * 3_600_000, recommendations_per_window=1_000_000)


def new_site(cluster: Cluster, redis_url: str, directory: Path) -> Site:
    """Return a site whose app id, topics and keys nobody else has, with its topics made."""
    name = f"chaos-{uuid.uuid4().hex[:8]}"
    prefix = f"{name}."
    settings = Settings(
        kafka_bootstrap=cluster.bootstrap, redis_url=redis_url, redis_prefix=name, app_id=name,
        topic_prefix=prefix, topics=_topics(prefix), partitions=PARTITIONS, replication_factor=3,
        session_timeout_s=SESSION_TIMEOUT_S, policy=POLICY,
    )  # fmt: skip
    site = Site(settings, directory)
    site.create_topics()
    return site


def delete_topics(site: Site) -> None:
    """Remove what the site had on the cluster."""
    with admin.open_admin(site.settings) as client:
        names = {*site.input_topics, *site.output_topics}
        names |= {site.settings.topic_of(kind) for kind in ("state", "window-totals")}
        client.delete_topics(sorted(names))


def variables(settings: Settings) -> dict[str, str]:
    """Return the environment that makes a worker have these settings."""
    given: dict[str, Any] = {
        f"policy.{key}": value for key, value in structs.asdict(settings.policy).items()
    }
    given |= structs.asdict(settings)
    del given["policy"]
    return {variable_of(key): _text(value) for key, value in given.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, dict):
        pairs = (f'"{key}":"{one}"' for key, one in value.items())
        return "{" + ",".join(pairs) + "}"
    return str(value)


def _topics(prefix: str) -> dict[str, str]:
    """Return the topics of types that share one: fewer partitions to be made for every run."""
    apart = {kind.__name__ for topic in ("live.visits", "live.purchases") for kind in TOPICS[topic]}
    alike = FAMILY_OF["LikesSent"].types
    shared = {name: f"{prefix}likes" for name in alike if name not in apart}
    shared |= dict.fromkeys(("CouponTrigger", "RecommendationTrigger"), f"{prefix}triggers")
    return shared | dict.fromkeys(("ChurnRow", "Decision"), f"{prefix}decisions")
