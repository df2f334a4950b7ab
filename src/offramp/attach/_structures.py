"""The four published D2NNs: high-low, cascade, chain and hierarchy.

The tables are the paper's, with what it leaves open filled in alike everywhere: convolutions keep the size but for
their stride, and a ReLU follows each convolution and each linear layer but the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from offramp.errors import OptionError
from offramp.graph import Graph
from offramp.nn import Normalize, split_table

from ._d2nn import d2nn

Shape = tuple[int, int, int]

_HIGH_LOW = """
    n1: x      | conv 3x3 8 stride 2 pad 1 | relu | pool 3/2
    q1: n1     | conv 3x3 2 pad 1 | relu | pool 3/2 | fc 128 | relu         -> n2, n3
    n2: n1     | conv 3x3 16 pad 1 | relu | pool 3/2 | fc 512 | relu | fc K
    n3: n1     | pool 3/2 | fc 32 | relu | fc K
    answer: n2 or n3
"""

_CASCADE = """
    n1: x      | conv 3x3 2 stride 2 pad 1 | relu | pool 3/2
    q1: n1                                                                  -> n2, n3
    n2: n1     | conv 3x3 16 pad 1 | relu | pool 3/2 | fc K
    n3: x      | conv 3x3 2 stride 2 pad 1 | relu | pool 3/2
               | conv 3x3 8 stride 2 pad 1 | relu | pool 3/2
    q2: n3                                                                  -> n4, n5
    n4: n3     | pool 3/2 | pool 3/2 | fc K
    n5: x      | conv 3x3 4 stride 2 pad 1 | relu | pool 3/2
               | conv 3x3 16 stride 2 pad 1 | relu | pool 3/2
    q3: n5                                                                  -> n6, n7
    n6: n5     | pool 3/2 | pool 3/2 | fc K
    n7: x      | conv 3x3 2 stride 2 pad 1 | relu | pool 3/2
               | conv 3x3 8 stride 2 pad 1 | relu | pool 3/2
               | conv 3x3 64 stride 2 pad 1 | relu | fc 512 | relu | fc 512 | relu | fc K
    answer: n7 or n6 or n4 or n2
"""

_CHAIN = """
    n1: x            | conv 3x3 2 stride 2 pad 1 | relu | pool 3/2
    q1: n1           | pool 3/2 | conv 3x3 8 pad 1 | relu | pool 3/2 | fc 64 | relu   -> n2, n3
    n2: n1           | conv 1x1 16 | relu
    n3: n1           | conv 3x3 16 pad 1 | relu
    n4: n2=0 + n3=0  | pool 3/2
    q2: n4           | pool 3/2 | conv 3x3 4 pad 1 | relu | fc 64 | relu              -> n5, n6
    n5: n4           | conv 1x1 32 | relu
    n6: n4           | conv 3x3 32 pad 1 | relu | conv 3x3 32 pad 1 | relu
    n7: n5=0 + n6=0  | pool 3/2
    q3: n7           | conv 3x3 2 pad 1 | relu | fc 64 | relu                         -> n8, n9
    n8: n7           | conv 1x1 32 | relu | pool 3/2 | fc 256 | relu
    n9: n7           | conv 3x3 64 pad 1 | relu | fc 256 | relu
    n10: n8=0 + n9=0 | fc K
"""

_COARSE = "conv 5x5 96 pad 2 | relu"
_LEAF = """
    pool 3/2
    conv 3x3 160 pad 1 | relu | conv 3x3 128 pad 1 | relu | conv 3x3 128 pad 1 | relu | pool 3/2
    fc 2048 | relu | fc 2048 | relu
"""
_ABOVE_COARSE = """
    conv 5x5 16 pad 2 | relu | pool 3/2 | conv 5x5 32 pad 2 | relu | pool 3/2 | fc 1024 | relu | fc 1024 | relu
"""
_ABOVE_LEAF = """
    conv 5x5 16 pad 2 | relu | pool 3/2 | conv 3x3 32 pad 1 | relu | pool 3/2 | fc 1024 | relu | fc 1024 | relu
"""
# Airplane and ship, automobile and truck; bird and frog, cat and dog, deer and horse.
_CIFAR_10 = (((0, 8), (1, 9)), ((2, 6), (3, 5), (4, 7)))
Tree = Sequence[Sequence[Sequence[int]]]


def d2nn_high_low(
    shape: Shape = (3, 48, 48), *, classes: int = 2, width: float = 1, normalize: Normalize | None = None
) -> Graph:
    """A capable and a cheap classifier on the same first layers, and a controller that takes one of them.

    The paper sorts 250x250 faces from other pictures; it does not tell at which size the network saw them.

    Args:
        shape: Shape (C, H, W) of one picture.
        classes: Number of classes, at least 2.
        width: Factor of the numbers of channels and features, above 0; 1 is as published.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with random weights; `learn.q` trains it.

    Raises:
        OptionError: A width that is not positive, fewer than two classes, or a picture too small for the layers.

    Example:
        >>> d2nn_high_low(width=0.25).exits
        ('n2', 'n3')

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks: Optimizing Accuracy-Efficiency Trade-offs by Selective Execution",
        AAAI 2018, the high-low capacity D2NN, with the layers of its supplement.
    """
    return _build(_HIGH_LOW, shape, classes, width, normalize)


def d2nn_cascade(
    shape: Shape = (3, 48, 48), *, classes: int = 2, width: float = 1, normalize: Normalize | None = None
) -> Graph:
    """Four networks of growing capacity: behind each but the last a controller answers, or wakes the next.

    Every stage reads the picture, as in the cascades of face detectors. The paper's figure may be read as if each read
    what the one before it computed; then strides alone would shrink a picture 32,768 times.

    Args:
        shape: Shape (C, H, W) of one picture.
        classes: Number of classes, at least 2.
        width: Factor of the numbers of channels and features, above 0; 1 is as published.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with random weights; `learn.q` trains it.

    Raises:
        OptionError: A width that is not positive, fewer than two classes, or a picture too small for the layers.

    Example:
        >>> d2nn_cascade(width=0.25).exits
        ('n2', 'n4', 'n6', 'n7')

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks", AAAI 2018, the cascade D2NN, with the layers of its supplement.
    """
    return _build(_CASCADE, shape, classes, width, normalize)


def d2nn_chain(
    shape: Shape = (1, 100, 100), *, classes: int = 10, width: float = 1, normalize: Normalize | None = None
) -> Graph:
    """Three links, each a choice between a cheap and a capable node whose results are alike.

    The alternative that was not chosen gives zeros, and the next node reads the sum of both; how the paper joins them
    is not known. Both always have the same number of channels, and with a sum the next node costs the same whichever
    ran, and each path is a plain network; one behind the other, half of the next node's work would be on zeros.

    Args:
        shape: Shape (C, H, W) of one picture; the default is that of cluttered MNIST.
        classes: Number of classes, at least 2.
        width: Factor of the numbers of channels and features, those of the controllers too, above 0; 1 is as published.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with random weights; `learn.q` trains it.

    Raises:
        OptionError: A width that is not positive, fewer than two classes, or a picture too small for the layers.

    Example:
        >>> graph = d2nn_chain((1, 28, 28), width=0.25)
        >>> [control.edges for control in graph.controls]
        [('n2', 'n3'), ('n5', 'n6'), ('n8', 'n9')]

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks", AAAI 2018, the chain D2NN, with the layers of its supplement.
    """
    return _build(_CHAIN, shape, classes, width, normalize)


def d2nn_hierarchy(
    shape: Shape = (3, 224, 224),
    *,
    tree: Tree = _CIFAR_10,
    first: str = "conv 11x11 64 stride 4 pad 2 | relu | pool 3/2",
    fill: float = 0,
    width: float = 1,
    normalize: Normalize | None = None,
) -> Graph:
    """A tree of classes: below the first layers each branch has a controller that lets it run or not.

    Several branches may run at once (the paper's "multi-threading"), and none may. The logits of classes whose branch
    did not run are `fill`.

    The slides print "stride 24" for the first layer; 4 with padding 2, as in AlexNet, is our guess. It is a parameter
    because small pictures need another one: "conv 5x5 64 pad 2 | relu | pool 3/2" suits CIFAR-10.

    Args:
        shape: Shape (C, H, W) of one picture.
        tree: Numbers of the classes, below their coarse class, below its super class: 2, 5 and 10 in the paper. The
            default is one for CIFAR-10.
        first: Layers that all branches share, as `nn.build_layers` reads them.
        fill: Logits of the classes whose branch did not run. 0 suits class scores that are learned as action values;
            with cross-entropy take a value such as -20, so that a branch that did not run is no rival.
        width: Factor of the numbers of channels and features, above 0; 1 is as published.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.

    Returns:
        The graph with random weights; `learn.q` trains it.

    Raises:
        OptionError: A width that is not positive, a picture too small for the layers, or a tree whose classes are not
            0, 1, ..., each once.

    Example:
        >>> graph = d2nn_hierarchy((3, 32, 32), first="conv 5x5 64 pad 2 | relu | pool 3/2", width=0.1)
        >>> [control.edges[0] for control in graph.controls]
        ['n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8']

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks", AAAI 2018, the hierarchical D2NN of ILSVRC-10, with the layers of
        its supplement.
    """
    leaves = [tuple(leaf) for coarse in tree for leaf in coarse]
    classes = [number for leaf in leaves for number in leaf]
    if not leaves or not all(leaves) or sorted(classes) != list(range(len(classes))):
        raise OptionError(f"a tree must hold the classes 0, 1, ..., each once, but holds {classes}. Number them so.")
    return _build("\n".join(_branches(tree, first, fill)), shape, len(classes), width, normalize)


def _branches(tree: Tree, first: str, fill: float) -> Iterator[str]:
    """The lines of a hierarchy; nodes are numbered as in the paper."""
    yield f"n1: x | {first}"
    for at in range(len(tree)):
        yield f"q{at + 1}: n1 | {_on_a_line(_ABOVE_COARSE)} -> n{at + 2}, dummy"
        yield f"n{at + 2}: n1 | {_COARSE}"
    leaves = [(above, leaf) for above, coarse in enumerate(tree, start=2) for leaf in coarse]
    for at, (above, leaf) in enumerate(leaves, start=len(tree) + 1):
        yield f"q{at}: n{above} | {_on_a_line(_ABOVE_LEAF)} -> n{at + 1}, dummy"
        yield f"n{at + 1}: n{above} | {_on_a_line(_LEAF)} | fc K{len(leaf)}"
    classes = [number for _, leaf in leaves for number in leaf]
    order = " ".join(str(classes.index(number)) for number in range(len(classes)))
    read = ", ".join(f"n{len(tree) + 2 + at}={fill:g}" for at in range(len(leaves)))
    yield f"answer: {read} | take {order}"


def _build(table: str, shape: Shape, classes: int, width: float, normalize: Normalize | None) -> Graph:
    """The D2NN of a table in which K stands for the number of classes, and K2 for 2 of them."""
    if classes < 2 or not width > 0:
        raise OptionError(f"classes must be at least 2 and width positive, but are {classes} and {width}.")
    wide = re.sub(r"(conv \d+x\d+ |fc )(\d+)", lambda found: f"{found[1]}{max(1, round(int(found[2]) * width))}", table)
    text = re.sub(r"fc K(\d*)", lambda found: f"fc {found[1] or classes}", wide)
    return d2nn(text, shape, normalize=normalize)


def _on_a_line(layers: str) -> str:
    return " | ".join(split_table(layers))
