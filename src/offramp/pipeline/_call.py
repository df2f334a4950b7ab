"""The calls that begin: `optimize` makes a run, `load` opens one; nothing heavy is loaded before they are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from offramp.data import Given
    from offramp.decide import Target

    from ._engine import Engine
    from ._exits import Exits
    from ._progress import Listener
    from ._run import Run
    from ._search import Search
    from ._training import Training


def optimize(  # noqa: PLR0913  (everything that the command line can ask for)
    model: nn.Module | str,
    train: Given,
    *,
    held_out: Given | None = None,
    target: Target | None = None,
    exits: Exits | None = None,
    training: Training | None = None,
    engine: Engine | None = None,
    search: Search | None = None,
    seed: int = 0,
    on_progress: Listener | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    fresh: bool = False,
    reference: str | None = None,
    weights: str | Path | None = None,
    class_names: Sequence[str] | None = None,
    tokenizer: str | None = None,
    shape: tuple[int, ...] | None = None,
    logits: str | int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Run:
    """Add exits to a trained network, train them, choose thresholds, and prove what was kept.

    Args:
        model: A classifier, which stays as it is, or a reference to one, as for `zoo.load_model`.
        train: Samples that the exits learn from: a reference, an array, a tensor, a pair (inputs, labels), a
            dictionary of arrays, a torch Dataset or DataLoader, or `Samples`; see `data.as_samples`. Most trainings
            need no labels.
        held_out: Samples to choose, prove and test on, in the same forms; the network must not have been trained on
            them. None sets 40 % of `train` aside.
        target: By what the operating point is chosen; None is `Target(max_loss=0.01)`.
        exits: Which exits the network gets; None is `Exits()`.
        training: How they are trained; None is `Training()`.
        engine: The engine that runs the file, and that everything is measured with; None is `Engine()`.
        search: How operating points are looked for; None is `Search()`.
        seed: The seed of everything random.
        on_progress: Is told how far the run is, by small `Progress` events.
        out: Folder to write. None keeps the run in a temporary folder, as long as the run is in use: save it.
        resume: True goes on where a killed run to `out` stopped.
        fresh: True throws away what a killed run to `out` trained.
        reference: How a module can be built again, such as "package.module:callable"; without it the folder holds the
            network as ONNX alone.
        weights: File with weights of the network: .pt, .pth, .th or .safetensors.
        class_names: What the outputs are called, in their order.
        tokenizer: Folder of a Hugging Face tokenizer, for references to texts.
        shape: Of one sample, if neither the network nor the samples say it.
        logits: Name or index of the output that holds the logits, if there are several.
        mean: Per channel, in units of [0, 1]: the file subtracts it from pixels; None: what the origin of the network
            says.
        std: Per channel: the file divides by it.

    Returns:
        The run: its table is its repr; `save` writes it to a folder, `predict` answers.

    Raises:
        OfframpError: Something does not fit; then nothing is written.

    Example:
        >>> run = optimize("zoo:mlp", "digits@train", held_out="digits@test")  # doctest: +SKIP
        >>> run.save("out")  # doctest: +SKIP
    """
    from ._begin import Asked, begin

    return begin(
        Asked(
            model=model, train=train, held_out=held_out, target=target, exits=exits, training=training, engine=engine,
            search=search, seed=seed, out=out, resume=resume, fresh=fresh, reference=reference, weights=weights,
            class_names=class_names, tokenizer=tokenizer, shape=shape, logits=logits, mean=mean, std=std,
        ),
        on_progress,
    )  # fmt: skip


def load(folder: str | Path) -> Run:
    """Open a finished run again; PyTorch is not needed for it, nor for anything that the run can do.

    Args:
        folder: That `offramp optimize` or `offramp.optimize` wrote.

    Returns:
        The run.

    Raises:
        DataError: The folder lacks a file, or its record is broken or of another version.
        EvidenceError: The evidence is broken.
    """
    from ._run import Run

    return Run(Path(folder))
