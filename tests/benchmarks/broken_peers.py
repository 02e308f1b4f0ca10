"""Peers that fail, each in its own way."""

from __future__ import annotations

import os

import numpy as np

from benchmarks.workloads.base import Array, Workload
from benchmarks.workloads.peers import Peer


class NumPyPeer(Peer):
    """Knows three workloads, by hand."""

    name = "numpy"
    label = "NumPy"
    packages = ("numpy",)

    def prepare(self, workload: Workload) -> None:
        self.workload = workload
        self.inputs = workload.inputs()

    def load(self) -> None:
        pass

    def call(self) -> Array:
        a, *others = self.inputs
        match self.workload.name:
            case "tiny_add8":
                return a + others[0]
            case "matmul_odd":
                return a @ others[0]
            case _:
                raise NotImplementedError(f"no {self.workload.name} in NumPy")

    def results(self) -> list[Array]:
        return [self.call()]


class WrongPeer(NumPyPeer):
    """The first element is too large by a hundredth of the largest."""

    label = "wrong"

    def results(self) -> list[Array]:
        result = super().call().copy()
        result.flat[0] += np.abs(result).max() / 100
        return [result]


class DyingPeer(NumPyPeer):
    """Ends its process over products."""

    label = "dying"

    def load(self) -> None:
        if self.workload.name == "matmul_odd":
            os._exit(7)


class AbsentPeer(NumPyPeer):
    label = "absent"

    @classmethod
    def missing(cls) -> str | None:
        return "it needs what nobody has"
