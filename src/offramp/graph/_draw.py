"""Drawings of a graph: graphviz text, and an SVG that needs no installed program."""

from __future__ import annotations

from html import escape

from ._graph import Graph
from ._node import Node

_FILL = {"input": "#eeeeee", "function": "#dce9f7", "control": "#fde7c8", "dummy": "#f5f5f5", "select": "#dff0d8"}
_SHAPE = {"input": "ellipse", "function": "box", "control": "diamond", "dummy": "point", "select": "invtrapezium"}
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 150, 34, 26, 34  # pixels


def draw_dot(graph: Graph) -> str:
    """Graphviz text: solid data edges (with their fill where they have a default), dashed control edges.

    Args:
        graph: Any conditional graph; its bodies do not matter.

    Returns:
        The text of one directed graph in the language of Graphviz.

    Example:
        >>> from offramp.graph import DataEdge, Graph, Node, Tensor, draw_dot
        >>> row = Tensor(shape=(2,))
        >>> x = Node(name="x", kind="input", outputs=(row,))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(row,))
        >>> '"x" -> "net";' in draw_dot(Graph(nodes=(x, net), answer="net"))
        True
    """
    lines = ["digraph offramp {", "  node [style=filled, fontname=Helvetica];"]
    for node in graph.nodes:
        lines.append(f'  {_quoted(node.name)} [shape={_SHAPE[node.kind]}, fillcolor="{_FILL[node.kind]}"];')
    for node in graph.nodes:
        for edge in node.inputs:
            label = "" if edge.default is None else f' [label="{edge.default:g}"]'
            lines.append(f"  {_quoted(edge.source)} -> {_quoted(node.name)}{label};")
        for index, target in enumerate(node.edges):
            lines.append(
                f'  {_quoted(node.name)} -> {_quoted(target)} [style=dashed, label="{_edge_label(node, index)}"];'
            )
    return "\n".join([*lines, "}"]) + "\n"


def draw_svg(graph: Graph) -> str:
    """A self-contained SVG, top to bottom: every node below all that it reads.

    Args:
        graph: Any conditional graph; its bodies do not matter.

    Returns:
        The text of one SVG element, which needs no fonts, styles or scripts from elsewhere.
    """
    rank = _ranks(graph)
    rows: dict[int, list[str]] = {}
    for node in graph.nodes:
        rows.setdefault(rank[node.name], []).append(node.name)
    columns = max(len(row) for row in rows.values())
    place = {
        name: (_GAP_X + at * (_WIDTH + _GAP_X), _GAP_Y + level * (_HEIGHT + _GAP_Y))
        for level, row in rows.items()
        for at, name in enumerate(row)
    }
    width, height = columns * (_WIDTH + _GAP_X) + _GAP_X, len(rows) * (_HEIGHT + _GAP_Y) + _GAP_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="12">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
    ]
    for node in graph.nodes:
        for edge in node.inputs:
            parts.append(
                _line(place[edge.source], place[node.name], "#555", "" if edge.default is None else f"{edge.default:g}")
            )
        for index, target in enumerate(node.edges):
            parts.append(_line(place[node.name], place[target], "#c60", _edge_label(node, index), dashed=True))
    parts += [_box(node, *place[node.name]) for node in graph.nodes]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _ranks(graph: Graph) -> dict[str, int]:
    opener = {target: node.name for node in graph.nodes for target in node.edges}
    rank: dict[str, int] = {}
    for node in graph.nodes:
        before = [edge.source for edge in node.inputs] + ([opener[node.name]] if node.name in opener else [])
        rank[node.name] = 1 + max((rank[name] for name in before), default=-1)
    return rank


def _line(start: tuple[int, int], end: tuple[int, int], color: str, label: str, dashed: bool = False) -> str:
    x1, y1, x2, y2 = start[0] + _WIDTH // 2, start[1] + _HEIGHT, end[0] + _WIDTH // 2, end[1]
    bend = (y2 - y1) // 2
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    path = (
        f'<path d="M{x1},{y1} C{x1},{y1 + bend} {x2},{y2 - bend} {x2},{y2}" fill="none" stroke="{color}"{dash} '
        'marker-end="url(#tip)"/>'
    )
    if not label:
        return path
    return path + f'<text x="{(x1 + x2) // 2 + 4}" y="{(y1 + y2) // 2}" fill="{color}">{escape(label)}</text>'


def _box(node: Node, x: int, y: int) -> str:
    radius = _HEIGHT // 2 if node.kind in ("control", "input") else 4
    shown = node.name if len(node.name) <= 21 else node.name[:20] + "…"
    return (
        f"<g><title>{escape(f'{node.name} ({node.kind})')}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}" '
        f'fill="{_FILL[node.kind]}" stroke="#555"/>'
        f'<text x="{x + _WIDTH // 2}" y="{y + _HEIGHT // 2 + 4}" text-anchor="middle">{escape(shown)}</text></g>'
    )


def _edge_label(node: Node, index: int) -> str:
    return ("stop", "go")[index] if node.gate is not None else str(index)


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
