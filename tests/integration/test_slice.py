"""The whole slice on a real Kafka and a real Redis: a simulated world through one worker."""

import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from agents import redis_client
from agents.keys import Keys
from agents.views import read_rows, read_sessions, read_total, read_triggers
from schemas import cloudevents
from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    RecommendationTrigger,
    Trigger,
)
from streams.store import State
from tests.integration.cluster import PARTITIONS, Said, Site, decoded, new_site
from tests.integration.kafka import Kafka
from tests.integration.outcome import newest_rows
from tests.integration.world import CLOCK, World, clock_events, count, make_world

pytestmark = pytest.mark.kafka


class Slice(NamedTuple):
    """What went in, what came out, what the worker said of itself."""

    site: Site
    world: World
    said: dict[str, list[Said]]
    metrics: Counter[str]
