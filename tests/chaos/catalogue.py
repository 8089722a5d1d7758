"""Every fault there is: importing a module adds its faults to the table."""

from tests.chaos import faults_brokers, faults_input, faults_redis, faults_workers
from tests.chaos.faults import FAULTS

__all__ = ["FAULTS", "faults_brokers", "faults_input", "faults_redis", "faults_workers"]
