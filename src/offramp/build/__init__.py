"""From a trained network to a conditional graph."""

from ._branchynet import b_alexnet as b_alexnet
from ._branchynet import b_lenet as b_lenet
from ._branchynet import b_resnet as b_resnet
from ._candidates import Candidate as Candidate
from ._candidates import find_candidates as find_candidates
from ._capture import Capture as Capture
from ._capture import capture as capture
from ._cuts import CutPoint as CutPoint
from ._eenets import dense_eenet as dense_eenet
from ._eenets import res_eenet as res_eenet
from ._eenets import vgg_eenet as vgg_eenet
from ._exits import attach_exits as attach_exits
from ._exits import choose_cuts as choose_cuts
from ._gate_by import gate_by as gate_by
from ._keep import exit_numbers as exit_numbers
from ._keep import keep_exits as keep_exits
from ._load import LoadedModel as LoadedModel
from ._load import load_model as load_model
from ._normalize import Normalize as Normalize
from ._zoo import GRAPHS as GRAPHS
from ._zoo import ZOO as ZOO
from ._zoo import ZooEntry as ZooEntry
