"""The conditional graph: what a network is made of, which samples run what, and how it is drawn and stored."""

from ._ancestors import find_ancestors as find_ancestors
from ._draw import draw_dot as draw_dot
from ._draw import draw_svg as draw_svg
from ._graph import Graph as Graph
from ._json import from_json as from_json
from ._json import to_json as to_json
from ._node import Body as Body
from ._node import DataEdge as DataEdge
from ._node import Direction as Direction
from ._node import Gate as Gate
from ._node import Kind as Kind
from ._node import Node as Node
from ._node import Tensor as Tensor
from ._reach import ROOT as ROOT
from ._reach import Region as Region
from ._reach import find_regions as find_regions
from ._regions import Block as Block
from ._regions import Merge as Merge
from ._regions import Plan as Plan
from ._regions import Run as Run
from ._regions import Value as Value
from ._regions import Write as Write
from ._regions import plan as plan
from ._routes import find_routes as find_routes
