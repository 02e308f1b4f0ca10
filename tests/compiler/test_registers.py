"""Register allocation and parallel moves of the host program."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tesselle.codegen.vm.registers import has_cycle, parallel_moves

SCRATCH = 100


@given(st.dictionaries(st.integers(0, 7), st.integers(0, 7), max_size=8))
def test_moves_in_sequence_do_what_all_at_once_would(targets: dict[int, int]) -> None:
    moves = list(targets.items())
    before = {r: f"v{r}" for r in range(8)}
    expected = {**before, **{t: before[s] for t, s in moves}}
    state = dict(before)
    for to, source in parallel_moves(moves, SCRATCH):
        state[to] = state[source]
    state.pop(SCRATCH, None)
    assert state == expected


def test_scratch_only_for_cycles() -> None:
    assert not has_cycle([(0, 1), (1, 2)])
    assert has_cycle([(0, 1), (1, 0)])
    assert all(SCRATCH not in move for move in parallel_moves([(0, 1), (1, 2)], SCRATCH))
