"""Networks without exits: those that offramp brings along, as tables, and those that a reference names."""

from ._branchynet import BRANCHY_ALEXNET as BRANCHY_ALEXNET
from ._branchynet import BRANCHY_LENET as BRANCHY_LENET
from ._branchynet import BranchyTable as BranchyTable
from ._branchynet import alexnet_trunk as alexnet_trunk
from ._branchynet import branchy_resnet as branchy_resnet
from ._branchynet import build_trunk as build_trunk
from ._branchynet import lenet_trunk as lenet_trunk
from ._branchynet import resnet_trunk as resnet_trunk
from ._densenet import densenet121 as densenet121
from ._load import LoadedModel as LoadedModel
from ._load import load_model as load_model
from ._object import take_module as take_module
from ._resnet import blocks_per_group as blocks_per_group
from ._resnet import cifar_resnet as cifar_resnet
from ._vgg import vgg19 as vgg19
from ._weights import load_weights as load_weights
from ._zoo import ZOO as ZOO
from ._zoo import ZooEntry as ZooEntry
