"""From stages to a conditional graph: exits, candidates for exits, and control nodes."""

from ._branchynet import b_alexnet as b_alexnet
from ._branchynet import b_lenet as b_lenet
from ._branchynet import b_resnet as b_resnet
from ._candidates import Candidate as Candidate
from ._candidates import find_candidates as find_candidates
from ._chain import make_function as make_function
from ._chain import make_gate as make_gate
from ._chain import make_score as make_score
from ._controllers import controllers as controllers
from ._d2nn import d2nn as d2nn
from ._eenets import dense_eenet as dense_eenet
from ._eenets import res_eenet as res_eenet
from ._eenets import vgg_eenet as vgg_eenet
from ._exits import choose_cuts as choose_cuts
from ._exits import exits as exits
from ._high_low import high_low as high_low
from ._published import GRAPHS as GRAPHS
from ._structures import d2nn_cascade as d2nn_cascade
from ._structures import d2nn_chain as d2nn_chain
from ._structures import d2nn_hierarchy as d2nn_hierarchy
from ._structures import d2nn_high_low as d2nn_high_low
