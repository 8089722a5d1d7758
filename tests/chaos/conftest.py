"""The servers that chaos tests share: three brokers and a Redis."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.chaos import campaign
from tests.integration.conftest import entered


@pytest.fixture(scope="session")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[campaign.Stage]:
    """Give a stage of its own to the chaos tests."""
    with ExitStack() as stack:
        yield entered(stack, campaign.stage(tmp_path_factory.mktemp("chaos")))
