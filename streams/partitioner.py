"""The partitioner of Kafka's Java client: which partition a key belongs to.

MurmurHash2, 32 bits, seed 0x9747b28c, as in ``org.apache.kafka.common.utils.Utils.murmur2``.
librdkafka's default is another one: producers must set ``partitioner=murmur2_random``.
"""

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the unsigned 32-bit hash."""
    length = len(data)
    h = 0x9747B28C ^ length
    for i in range(0, length & ~3, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    tail = data[length & ~3 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: str, partitions: int) -> int:
    """Return the partition that the key's records must stand on."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
