"""The partitioner against the Java client's hash as two client libraries have it."""

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_python_murmur2

from streams.partitioner import murmur2, partition_of


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_the_hash_is_that_of_kafka_python_and_of_aiokafka(key: bytes) -> None:
    """Any bytes, any length."""
    ours = murmur2(key)
    assert ours == kafka_python_murmur2(key) & 0xFFFFFFFF
    assert ours == aiokafka_murmur2(key) & 0xFFFFFFFF


@given(st.text(), st.integers(1, 1_000))
@settings(max_examples=50)
def test_the_partition_is_the_positive_hash_modulo(key: str, partitions: int) -> None:
    """The sign bit is cut off, not negated."""
    expected = (kafka_python_murmur2(key.encode()) & 0x7FFFFFFF) % partitions
    assert partition_of(key, partitions) == expected


@pytest.mark.parametrize(
    ("key", "signed"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_the_hash_is_that_of_the_java_client(key: bytes, signed: int) -> None:
    """The examples of Kafka's own UtilsTest."""
    assert murmur2(key) == signed & 0xFFFFFFFF
