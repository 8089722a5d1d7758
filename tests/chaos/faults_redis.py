"""Faults of Redis: gone, back but empty, there but mute. No worker may end of it."""

import redis

from tests.chaos.faults import fault
from tests.chaos.run import Run


@fault(6, peaceful=True)
def redis_killed(run: Run) -> None:
    """Redis is killed, and comes back empty some seconds later."""
    run.wait(1.0, 2.0)
    run.redis.kill()
    run.wait(2.0, 4.0)
    run.redis.start()


@fault(4, peaceful=True)
def redis_flushed(run: Run) -> None:
    """Redis forgets everything without being away."""
    run.wait(2.0, 4.0)
    with redis.Redis.from_url(run.site.settings.redis_url) as client:
        client.flushall()


@fault(5, peaceful=True)
def redis_paused(run: Run) -> None:
    """Redis keeps its connections and answers nothing for some seconds."""
    run.wait(1.0, 2.0)
    run.redis.freeze()
    run.wait(4.0, 6.0)
    run.redis.thaw()
