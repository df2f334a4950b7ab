"""Anything to numbers: evidence, costs, operating points, frontier, knee, latency."""

from ._area import area as area
from ._area import macs_at as macs_at
from ._collect import evidence as evidence
from ._costs import Costs as Costs
from ._efficiency import Efficiency as Efficiency
from ._efficiency import efficiency as efficiency
from ._evidence import Evidence as Evidence
from ._evidence import check_disjoint as check_disjoint
from ._frontier import Frontier as Frontier
from ._frontier import Quality as Quality
from ._frontier import frontier as frontier
from ._frontier import quality_of as quality_of
from ._knee import knee as knee
from ._knee import knee_interval as knee_interval
from ._latency import Latency as Latency
from ._latency import gain as gain
from ._latency import latency as latency
from ._levels import BRANCHYNET_ALEXNET_GRID as BRANCHYNET_ALEXNET_GRID
from ._levels import BRANCHYNET_GRID as BRANCHYNET_GRID
from ._operating import OperatingPoint as OperatingPoint
from ._operating import exits_taken as exits_taken
from ._operating import operate as operate
from ._operating import qualities as qualities
from ._passes import evidence_by_passes as evidence_by_passes
from ._screening import screening as screening
