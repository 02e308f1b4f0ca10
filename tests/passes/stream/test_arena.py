"""Packing of transients: what lives at the same time never overlaps, and nothing is wasted where it is easy to see."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tesselle.passes.stream.arena import Interval, pack

intervals = st.lists(
    st.builds(
        lambda size, first, length: Interval(size, first, first + length),
        st.integers(0, 1000),
        st.integers(0, 40),
        st.integers(0, 15),
    ),
    max_size=40,
)


def overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


@given(intervals)
def test_live_resources_do_not_overlap(items: list[Interval]) -> None:
    offsets, total = pack(items, 64)
    for i, a in enumerate(items):
        assert offsets[i] % 64 == 0
        assert a.size == 0 or offsets[i] + a.size <= total
        for j, b in enumerate(items[:i]):
            if a.meets(b):
                assert not overlap((offsets[i], offsets[i] + a.size), (offsets[j], offsets[j] + b.size))


@given(intervals)
def test_arena_is_between_peak_and_sum(items: list[Interval]) -> None:
    def aligned(size: int) -> int:
        return -(-size // 64) * 64

    _, total = pack(items, 64)
    times = {t for i in items for t in (i.first, i.last)}
    peak = max((sum(aligned(i.size) for i in items if i.first <= t <= i.last) for t in times), default=0)
    assert peak <= total <= sum(aligned(i.size) for i in items)


def test_equal_sizes_take_as_many_places_as_live_at_once() -> None:
    items = [Interval(7, t, t + 2) for t in range(0, 12, 2)] + [Interval(7, 3, 9)]
    assert pack(items, 1)[1] == 3 * 7


def test_chain_needs_two() -> None:
    items = [Interval(100, t, t + 1) for t in range(10)]
    assert pack(items, 64)[1] == 256
