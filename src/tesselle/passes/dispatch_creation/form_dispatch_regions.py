"""form-dispatch-regions: groups operations on tensors into flow.dispatch.region."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from tesselle.dialects.core import func, tensor
from tesselle.dialects.flow import ops as flow
from tesselle.dialects.linalg import ops as linalg
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Op, OpResult, Region, Value
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.passes.dispatch_creation.clusters import Cluster, Kind, loop_nest, merged, padded
from tesselle.passes.dispatch_creation.shapes import Shapes


@register_pass("form-dispatch-regions", needs=[Fact.LINALG], gives=[Fact.DISPATCHES])
@dataclass(frozen=True)
class FormDispatchRegions(Pass):
    """Fuse producers with consumers where nothing is computed twice, and put every group into a region.

    %0 = linalg.generic …                    %2 = flow.dispatch.region -> tensor<…> {
    %1 = linalg.generic ins(%0) …     ->       %0 = linalg.generic …
                                               %1 = linalg.generic ins(%0) …
                                               flow.return %1 }

    Errors: Unsupported when the shape of a result is not known on the host.
    """

    def run(self, module: Op) -> None:
        shapes = Shapes()
        for op in list(module.walk()):
            if isinstance(op, func.FuncOp) and not op.is_declaration:
                for block in _host_blocks(op):
                    _BlockFusion(block, shapes).run()


def _host_blocks(function: func.FuncOp) -> list[Block]:
    """Blocks whose operations the host sequences: those of the function and of control flow, not bodies of linalg."""
    found: list[Block] = []
    work = list(function.regions)
    while work:
        region = work.pop()
        for block in region.blocks:
            found.append(block)
            for op in block:
                if op.dialect != "linalg":
                    work.extend(op.regions)
    return found


def _inputs_of(op: Op) -> Iterable[Value]:
    """Everything that an operation and its regions use."""
    if not op.regions:
        return op.operands
    return [v for inner in op.walk() for v in inner.operands]


def _has_side_effect(op: Op) -> bool:
    """Whether the order of `op` among its like is part of the program's meaning."""
    return any(isinstance(o, flow.HostCallOp) and o.has_side_effect for o in op.walk())


class _BlockFusion:
    """Groups the operations of one block, in order: each joins its producers where the rule allows it."""

    def __init__(self, block: Block, shapes: Shapes) -> None:
        self.block = block
        self.shapes = shapes
        self.position: dict[Op, int] = {}
        self.cluster: dict[Op, Cluster] = {}
        self.inputs: dict[Op, list[Op]] = {}

    def run(self) -> None:
        for i, op in enumerate(self.block):
            self.position[op] = i
        last_effect: Op | None = None
        for op in self.position:
            inputs = dict.fromkeys(
                v.op for v in _inputs_of(op) if isinstance(v, OpResult) and v.op in self.position and v.op is not op
            )
            if _has_side_effect(op):
                if last_effect is not None:
                    inputs[last_effect] = None
                last_effect = op
            self.inputs[op] = list(inputs)
            nest = loop_nest(op)
            if nest is not None:
                self.cluster[op] = Cluster.of(nest, self.position[op])
                self._join_producers(op)
        self._rebuild()

    def _join_producers(self, op: Op) -> None:
        """Merge the cluster of `op` with those that it reads: contractions first, then the nearest."""
        joins = padded if isinstance(op, tensor.PadOp) else merged
        if joins is merged and self.cluster[op].kind is not Kind.LOOPS:
            return
        tried: set[Cluster] = set()
        while True:
            mine = self.cluster[op]
            producers = {self.cluster[p] for p in self.inputs[op] if p in self.cluster} - {mine} - tried
            if not producers:
                return
            best = max(producers, key=lambda c: (c.kind is Kind.CONTRACTION, c.last))
            tried.add(best)
            together = joins(best, mine)
            if together is None or self._path_outside(best, mine) or self._path_outside(mine, best):
                continue
            for member in together.nests:
                self.cluster[member] = together
            if joins is padded:
                return

    def _path_outside(self, source: Cluster, target: Cluster) -> bool:
        """Whether `target` depends on `source` through an operation that is in neither."""
        work: list[Op] = []
        seen: set[Op] = set()

        def visit(ops: Iterable[Op]) -> None:
            for op in ops:
                cluster = self.cluster.get(op)
                if op in seen or cluster is source or cluster is target:
                    continue
                members = (op,) if cluster is None else tuple(cluster.nests)
                if (self.position[op] if cluster is None else cluster.last) < source.first:
                    continue
                seen.update(members)
                work.extend(members)

        for member in target.nests:
            visit(self.inputs[member])
        while work:
            op = work.pop()
            inputs = self.inputs.get(op, [])
            if any(self.cluster.get(p) is source for p in inputs):
                return True
            visit(inputs)
        return False

    def _rebuild(self) -> None:
        """Put clusters into regions and the block into an order in which every value comes before its uses."""
        if not self.cluster:
            return
        order = self._sorted_nodes()
        for node in order:
            for op in (node,) if isinstance(node, Op) else sorted(node.nests, key=self.position.__getitem__):
                op.detach()
                self.block.append(op)
        for node in order:
            if isinstance(node, Cluster):
                self._make_region(node)

    def _sorted_nodes(self) -> list[Op | Cluster]:
        """A topological order that keeps to the old one: a cluster stands where its last member stood."""

        def node_of(op: Op) -> Op | Cluster:
            return self.cluster.get(op, op)

        place: dict[Op | Cluster, int] = {}
        users: dict[Op | Cluster, set[Op | Cluster]] = {}
        missing: dict[Op | Cluster, int] = {}
        for op, position in self.position.items():
            node = node_of(op)
            place[node] = max(place.get(node, 0), position)
            users.setdefault(node, set())
            missing.setdefault(node, 0)
        for op, inputs in self.inputs.items():
            node = node_of(op)
            for p in inputs:
                source = node_of(p)
                if source is not node and node not in users[source]:
                    users[source].add(node)
                    missing[node] += 1
        ready = [(place[n], n) for n, count in missing.items() if not count]
        heap = [(p, i) for i, (p, _) in enumerate(ready)]
        nodes = [n for _, n in ready]
        heapq.heapify(heap)
        order: list[Op | Cluster] = []
        while heap:
            _, index = heapq.heappop(heap)
            node = nodes[index]
            order.append(node)
            for user in users[node]:
                missing[user] -= 1
                if not missing[user]:
                    nodes.append(user)
                    heapq.heappush(heap, (place[user], len(nodes) - 1))
        assert len(order) == len(place), "fusion made a cycle"
        return order

    def _make_region(self, cluster: Cluster) -> None:
        members = sorted(cluster.nests, key=self.position.__getitem__)
        inside = set(members)
        # Sorts and scatters work in the memory of their results, also of those that nobody needs.
        results = [
            r
            for op in members
            for r in op.results
            if isinstance(op, linalg.SortOp | linalg.ScatterOp)
            or any(_ancestor_in(u, self.block) not in inside for u in r.users)
        ]
        dims = [d for r in results for d in self.shapes.dynamic(r)]
        body = Block()
        region = flow.DispatchRegionOp(dims, [r.type for r in results], Region([body]))
        Builder(self.block, members[-1].next, members[-1].location).insert(region)
        for op in members:
            op.detach()
            body.append(op)
        outer = {r: region.results[i] for i, r in enumerate(results)}
        for r in results:
            r.replace_uses_if(outer[r], lambda user, _: not region.regions[0].is_ancestor_of(user.parent_region))
            self.shapes.set(outer[r], self.shapes.of(r))
        Builder.at_end(body, region.location).insert(flow.ReturnOp(results))


def _ancestor_in(op: Op, block: Block) -> Op | None:
    """The operation of `block` that is `op` or contains it."""
    at: Op | None = op
    while at is not None and at.parent is not block:
        at = at.parent_op
    return at
