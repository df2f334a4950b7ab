"""Regions: on which samples a node runs, as the set of control edges that must be open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ._node import Node

Edge = tuple[str, int]  # control node, index of its edge
Region = frozenset[Edge]  # closed: holds the region of every control node that it names
ROOT: Region = frozenset()


def find_regions(nodes: Sequence[Node]) -> dict[str, Region]:
    """Region of every node; the nodes come in topological order.

    A node runs where its control edge is open and none of its inputs without a default is null; a select runs where all
    its inputs have a region in common.

    Args:
        nodes: All nodes of a graph, in topological order.

    Returns:
        By name of the node, the control edges that must all be open for it to run: control node and edge index.
    """
    opened_by = find_openers(nodes)
    regions: dict[str, Region] = {}
    for node in nodes:
        sources = [regions[edge.source] for edge in node.inputs if edge.default is None]
        if node.kind == "select":
            regions[node.name] = frozenset.intersection(*sources)
            continue
        region = ROOT.union(*sources)
        if node.name in opened_by:
            control, index = opened_by[node.name]
            region |= regions[control] | {(control, index)}
        regions[node.name] = region
    return regions


def find_openers(nodes: Iterable[Node]) -> dict[str, Edge]:
    """The control edge that leads to a node, for every node that has one."""
    return {target: (node.name, index) for node in nodes for index, target in enumerate(node.edges)}


def tips(region: Region, regions: Mapping[str, Region]) -> tuple[Edge, ...]:
    """The edges of a region that no other edge of it implies, sorted."""
    implied = ROOT.union(*(regions[control] for control, _ in region))
    return tuple(sorted(region - implied))


def parent(region: Region, regions: Mapping[str, Region]) -> Region:
    """The region whose rows a region selects from: its control node's, or for an intersection what its tips share."""
    ends = tips(region, regions)
    if len(ends) == 1:
        return regions[ends[0][0]]
    return frozenset.intersection(*(regions[control] | {(control, index)} for control, index in ends))


def lineage(region: Region, regions: Mapping[str, Region]) -> tuple[Region, ...]:
    """A region and its ancestors, the root last."""
    chain = [region]
    while chain[-1] != ROOT:
        chain.append(parent(chain[-1], regions))
    return tuple(chain)


def find_gap(
    region: Region, sources: Sequence[Region], nodes: Mapping[str, Node], regions: Mapping[str, Region]
) -> Region | None:
    """A choice of control edges within `region` under which none of `sources` holds, or None if there is none."""
    if any(source <= region for source in sources):
        return None
    decided = {control for control, _ in region}
    for source in sources:
        for control, _ in sorted(source):
            if control in decided or not regions[control] <= region:
                continue
            for index in range(len(nodes[control].edges)):
                gap = find_gap(region | {(control, index)}, sources, nodes, regions)
                if gap is not None:
                    return gap
            return None
    return region
