"""The commands and their options. PyTorch is loaded inside the commands that need it, so that `--help` is quick."""

from __future__ import annotations

import errno
import json
import signal
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

import offramp
from offramp.errors import OfframpError, OutputError

from ._stream import discard_output, speak_utf8

if TYPE_CHECKING:
    from rich.console import Console

    from offramp.pipeline._run import Run
    from offramp.store.record import Part, RunRecord, SweepRecord

    from ._screen import Terminal

BAD_INPUT, NOT_CERTIFIED, INTERRUPTED, CLOSED, TERMINATED = 2, 3, 130, 141, 143  # 128 + the signal


class Stopped(BaseException):
    """An interrupt on its way out; typer would take a KeyboardInterrupt for its own, and leave without a word."""

    def __init__(self, code: int, notes: Iterable[str]) -> None:
        super().__init__()
        self.code, self.__notes__ = code, list(notes)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which shall leave as little behind as Ctrl-C."""


class _Commands(TyperGroup):
    """All commands; an interrupt of one goes on as `Stopped`."""

    def invoke(self, ctx: Any) -> Any:  # Any: click's, wherever typer keeps it
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            code = TERMINATED if isinstance(error, _Terminated) else INTERRUPTED
            raise Stopped(code, getattr(error, "__notes__", ())) from error
        except BrokenPipeError as error:  # who read standard output has enough
            discard_output()
            raise SystemExit(CLOSED) from error


app = typer.Typer(
    name="offramp",
    cls=_Commands,
    help="Make a trained network spend on each input only the compute that this input needs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

FORMER = {  # options that were called so once, and still may be
    "cascade": "reuse-logits",
    "ensemble": "ensemble-heads",
    "mix": "mixup",
    "survivors": "sample-weighting",
}

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Seed = Annotated[int, typer.Option(help="The seed of everything random.")]
ModelReference = Annotated[
    str, typer.Option(help="The network: package.module:callable, zoo:NAME, torchvision:NAME, timm:NAME or hf:PATH.")
]
Weights = Annotated[Path | None, typer.Option(help="File with the network's weights: .pt, .pth, .th or .safetensors.")]
Shape = Annotated[str | None, typer.Option(help="Shape of one sample, such as 3,224,224, if the model has none.")]
Logits = Annotated[
    str | None,
    typer.Option(help="Name or index of the network's output that holds the logits, if it has several."),
]
EngineName = Annotated[str, typer.Option(help="Engine that runs the file: openvino or onnxruntime.")]
Precision = Annotated[
    str,
    typer.Option(
        help="Numbers that the file computes in: f32, bf16, f16, int8 (stages and heads are quantized after training; "
        "needs the extra int8), int8+f32 (a sample whose answer in 8 bits is not sure gets that of the network in "
        "float, which is in the file too), or auto: the one of f32, bf16, int8 and int8+f32 that takes least time here "
        "at the accepted loss."
    ),
]
Threads = Annotated[int, typer.Option(help="Number of CPU threads of the engine.")]
SearchName = Annotated[
    str, typer.Option(help="How operating points are found: frontier, or screening, which combines a few thresholds.")
]
Grid = Annotated[
    str | None,
    typer.Option(
        help="Thresholds for --search screening, such as 0.01,0.1,0.5, or shares of "
        "the surest that leave at each exit, such as 80%,90%."
    ),
]
MaxLoss = Annotated[float | None, typer.Option(help="Accepted share of lost answers; by default as in the run.")]
Confidence = Annotated[float | None, typer.Option(help="Confidence of the promise, such as 0.95.")]
Kind = Annotated[str | None, typer.Option(help="Kind of loss: agreement, harm or net.")]
Budget = Annotated[float | None, typer.Option(help="Share of the MACs that may be spent, instead of --max-loss.")]
Knee = Annotated[bool, typer.Option("--knee", help="Choose the knee of the frontier, instead of --max-loss.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Throw away what a killed run trained, and start anew.")]
Margin = Annotated[
    float | None,
    typer.Option(
        help="Share of the accepted loss to hold in reserve, such as 0.1: the point is chosen and proven for that much "
        "less than is promised, so that samples to come exceed the promise more rarely. [default: 0, or as in the run]"
    ),
]
Folder = Annotated[Path, typer.Argument(help="Folder that `offramp optimize` wrote.")]


def main() -> None:
    """Run the command line: a user's mistake is one sentence and exit code 2, never a traceback."""
    warnings.filterwarnings("ignore", module=r"(torch|onnxscript|onnx_ir)\b.*")
    speak_utf8()
    try:
        with _terminable():
            _run()
    except OfframpError as error:
        _tell(f"error: {_say(' '.join(str(error).split()), error.about)}", *_notes(error))
        sys.exit(BAD_INPUT)
    except Stopped as stop:
        _tell(*(["interrupted.", *_notes(stop)] if _notes(stop) else ["interrupted: repeat the command."]))
        sys.exit(stop.code)


def _run() -> None:
    """The command, and everything it printed.

    Raises:
        OutputError: Standard output takes no more.
    """
    if sys.stdout is None:
        raise OutputError("standard output must be open, but is closed. Send it to a file, or to /dev/null.")
    try:
        try:
            app(prog_name="offramp")
        finally:
            sys.stdout.flush()
    except OSError as error:
        if isinstance(error, OfframpError) or error.filename is not None:
            raise
        discard_output()
        if error.errno == errno.EPIPE:
            sys.exit(CLOSED)
        raise OutputError(
            f"standard output must take what is printed, but: {error.strerror}. Send it somewhere else."
        ) from error


def _say(text: str, about: Sequence[str]) -> str:
    """A sentence of the library, with options where it names arguments."""
    from ._words import say_options  # loaded for that alone, so that `--help` is quick

    return say_options(text, about)


def _notes(error: BaseException) -> list[str]:
    """What else is worth a line."""
    return [_say(note, ("resume=True", "fresh=True")) for note in getattr(error, "__notes__", ())]


def _tell(*lines: str) -> None:
    """Say something on standard error, if anybody listens."""
    with suppress(OSError):
        print(*lines, sep="\n", file=sys.stderr)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, unless it is to be ignored."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(offramp.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of offramp itself."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("out/demo"), seed: Seed = 0,
    fresh: Fresh = False, json: Json = False,
) -> None:  # fmt: skip
    """Train a LeNet-5 on scikit-learn's digits, make it faster, and show what was promised.

    A demo that was interrupted goes on where it was.
    """
    from offramp.pipeline._demo import demo as run

    with _terminal(json, log=True) as terminal:
        _finish(run(out, seed=seed, fresh=fresh, on_progress=terminal), json)


@app.command()
def inspect(
    model: ModelReference, weights: Weights = None, shape: Shape = None, logits: Logits = None, json: Json = False
) -> None:
    """List where a network can be cut: index, name, shape, and share of its MACs before the cut."""
    from offramp import report
    from offramp.pipeline._inspect import inspect as run

    from ._parse import read_shape

    with _terminal(json) as terminal:
        found = run(model, weights=weights, shape=read_shape(shape), logits=logits, on_progress=terminal)
    _print_json(found) if json else report.print_cuts(found, _console())


@app.command(context_settings={"token_normalize_func": lambda name: FORMER.get(name, name)})
def optimize(  # noqa: PLR0913  # typer reads the options from the signature
    model: ModelReference,
    data: Annotated[str, typer.Option(help="Training samples: digits, mnist:DIR, npz:FILE, npy:FILE, imagefolder:DIR, "
                                      "torchvision:NAME:DIR or tsv:FILE, each with @train or @test; labels are "
                                      "not needed.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    weights: Weights = None,
    held_out: Annotated[str | None, typer.Option(help="Samples to choose, prove and test on; the network must not "
                                                 "have been trained on them. Default: 40 % of --data.")] = None,
    max_loss: Annotated[float | None, typer.Option(help="Accepted share of lost answers; 0.01 if no other goal is "
                                                   "named.")] = None,
    confidence: Annotated[float | None, typer.Option(help="Confidence of the promise; 0.95 by default.")] = None,
    kind: Annotated[str | None, typer.Option(help="What a loss is: agreement (the answer changes), harm (it turns "
                                             "wrong; default with labels) or net (lost accuracy).")] = None,
    margin: Margin = None,
    budget: Budget = None,
    knee: Knee = False,
    search: SearchName = "frontier",
    grid: Grid = None,
    exits: Annotated[str, typer.Option(help="Number of exits, if --placement is a rule. Or auto, which trains more "
                                       "than needed and keeps those with which a sample is expected to take least "
                                       "time.")] = "auto",
    batch: Annotated[int, typer.Option(help="Number of samples per call that --exits auto makes fast.")] = 1,
    placement: Annotated[str, typer.Option(help="Where exits go: linear, fine, pareto, golden, or cut points by name "
                                           "or index between commas; the first place is called input.")] = "linear",
    regime: Annotated[str, typer.Option(help="What learns. post: the heads, from the network's own answers. "
                                        "cumulative: the heads and their confidences, at a price of compute. With "
                                        "labels: frozen (the heads alone), mixed (the trained network and its heads "
                                        "together) or joint (the same for a network that is not trained "
                                        "yet).")] = "post",
    price: Annotated[float | None, typer.Option(help="What the compute of one network may cost with --regime "
                                                "cumulative, in nats of cross-entropy; 1 by default.")] = None,
    training_precision: Annotated[str, typer.Option(help="Numbers that training computes in: float32, or bfloat16, "
                                                    "which is several times as fast where the processor supports "
                                                    "it.")] = "float32",
    targets: Annotated[str, typer.Option(help="What heads learn to give with --regime post: soft (the network's "
                                         "probabilities) or hard (its answers).")] = "soft",
    sample_weighting: Annotated[float, typer.Option(help="How much less a sample counts at an exit, from 0 to 1, if "
                                                    "earlier exits would let it go; with --regime post.")] = 0.0,
    mixup: Annotated[float, typer.Option(help="Chance of a training sample to be mixed with another, from 0 to 1, with "
                                         "--regime post. It helps in many epochs on the network's own training "
                                         "set.")] = 0.0,
    reuse_logits: Annotated[bool, typer.Option("--reuse-logits", help="Each head also reads the logits of the heads "
                                               "before it.")] = False,
    ensemble_heads: Annotated[bool, typer.Option("--ensemble-heads", help="Each exit answers with all heads so "
                                                 "far.")] = False,
    head: Annotated[list[str] | None, typer.Option(help="Kind of head: auto, light, pool, conv0 to conv3, student, "
                                                   "token or layers, with options such as light:width=24,blocks=2 or "
                                                   "layers:pool 2 | relu. Give it once for all exits, or once for "
                                                   "each. [default: auto; with --regime cumulative "
                                                   "conv2:confidence=1]")] = None,
    score: Annotated[
        str | None, typer.Option(help="What gates compare with their thresholds: max_probability, entropy, "
                                 "normalized_entropy, margin, energy, patience, calibrated, confidence, class_mean, "
                                 "openmax or head_confidence; of several the first one. auto takes the best of all, "
                                 "auto:entropy,margin the best of some. [default: max_probability; with --regime "
                                 "cumulative head_confidence]")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Number of passes over the training samples.")] = 8,
    mean: Annotated[str | None, typer.Option(help="Mean of each channel, for pixels in [0, 1], such as "
                                             "0.5,0.5,0.5.")] = None,
    std: Annotated[str | None, typer.Option(help="Standard deviation of each channel, as for --mean.")] = None,
    shape: Shape = None,
    logits: Logits = None,
    tokenizer: Annotated[str | None, typer.Option(help="Folder of a Hugging Face tokenizer, for texts; by default "
                                                  "that of an hf: model.")] = None,
    class_names: Annotated[str | None, typer.Option(help="Names of the network's outputs in their order, between "
                                                    "commas, or a text file with one per line. Folders and named "
                                                    "labels are mapped by them. By default those of an hf: model, "
                                                    "else the names in --data if there are as many as "
                                                    "outputs.")] = None,
    engine: EngineName = "openvino",
    precision: Precision = "f32",
    threads: Threads = 1,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a killed run stopped.")] = False,
    fresh: Fresh = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Add exits to a trained network, choose thresholds, prove what was kept, and write it all to a folder."""
    from offramp.data import read_class_names
    from offramp.pipeline import Engine, Exits, Training
    from offramp.pipeline import optimize as run
    from offramp.pipeline._ranges import SMALLEST

    from ._parse import read_count, read_heads, read_numbers, read_placement, read_search, read_shape, read_target

    asked: dict[str, Any] = {  # Any: as the options are
        "held_out": held_out, "out": out, "weights": weights, "tokenizer": tokenizer, "logits": logits, "seed": seed,
        "shape": read_shape(shape), "resume": resume, "fresh": fresh,
        "target": read_target(
            max_loss=max_loss, confidence=confidence, kind=kind, budget=budget, knee=knee, margin=margin
        ),
        "search": read_search(search, grid),
        "exits": Exits(
            count=read_count(exits), placement=read_placement(placement), head=read_heads(head), scores=score,
            reuse_logits=reuse_logits, ensemble_heads=ensemble_heads,
        ),
        "training": Training(
            regime=regime, precision=training_precision, targets=targets,  # type: ignore[arg-type]  # checked there
            epochs=epochs, price=price, sample_weighting=sample_weighting, mixup=mixup,
        ),
        "engine": Engine(name=engine, precision=precision, threads=threads, batch=batch),
        "mean": read_numbers(mean, "--mean"), "std": read_numbers(std, "--std", least=SMALLEST),
        "class_names": None if class_names is None else read_class_names(class_names),
    }  # fmt: skip
    with _terminal(json, log=True) as terminal:
        _finish(run(model, data, on_progress=terminal, **asked), json)


@app.command()
def bench(  # noqa: PLR0913  (options of the command line)
    folder: Folder,
    data: Annotated[str | None, typer.Option(help="Samples to time; those of the run by default.")] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Batch size; may be given several times.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="openvino or onnxruntime; by default the engine of the run.")
    ] = None,
    threads: Threads = 1,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the times to the result, report and model card.")
    ] = False,
    json: Json = False,
) -> None:
    """Time the file of a run again, here, beside the network alone and with nobody leaving. Needs no PyTorch."""
    from offramp import report
    from offramp.pipeline import load
    from offramp.pipeline._bench import Measurement
    from offramp.pipeline._bench import bench as time_file
    from offramp.pipeline._screen import Screen

    asked = Measurement(batches=tuple(batch or [1, 64]), data=data, engine=engine, threads=threads, apply=apply)
    with _terminal(json) as terminal:
        if apply:
            found = load(folder).bench(
                data, batches=asked.batches, engine=engine, threads=threads, apply=True, on_progress=terminal
            )
        else:  # then the model alone is enough
            found = time_file(folder, asked, Screen(terminal))
    _print_json(found) if json else report.print_times(found, _console(140))


@app.command()
def predict(  # noqa: PLR0913  (options of the command line)
    folder: Folder,
    data: Annotated[str, typer.Option(help="A data reference, as for optimize.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write: .csv, .json or .jsonl; standard output without it.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Number of samples per call of the network.")] = 64,
    engine: Annotated[
        str | None, typer.Option(help="openvino or onnxruntime; by default the engine of the run.")
    ] = None,
    threads: Threads = 1,
    tokenizer: Annotated[
        str | None, typer.Option(help="Folder of a Hugging Face tokenizer, for texts; that of the run by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Answer samples: class, exit and score of each, and the name of the class if the run knows it, as they come.

    Needs no PyTorch.
    """
    from offramp.pipeline._answers import write_answers
    from offramp.pipeline._predict import predict as run
    from offramp.pipeline._ranges import check_ranges
    from offramp.pipeline._screen import Screen
    from offramp.store._file import reserve_file

    check_ranges(batch=batch, threads=threads)
    quiet = out is None and sys.stdout.isatty()  # a bar would stand between the rows
    with reserve_file(out), _terminal(quiet) as terminal:
        count, rows = run(folder, data, engine=engine, threads=threads, tokenizer=tokenizer, batch=batch)
        write_answers(Screen(terminal).progress(rows, count, "answering"), out, as_json=json)


@app.command()
def sweep(  # noqa: PLR0913  (options of the command line)
    folder: Folder,
    max_loss: MaxLoss = None,
    confidence: Confidence = None,
    kind: Kind = None,
    margin: Margin = None,
    budget: Budget = None,
    knee: Knee = False,
    score: Annotated[str | None, typer.Option(help="Score of the gates, one of those in the evidence; that of the file "
                                              "by default.")] = None,
    search: Annotated[str | None, typer.Option(help="Search: frontier or screening; as in the run by default.")] = None,
    grid: Grid = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the thresholds and the promise to the file, result, "
                                        "report and model card.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Choose again from the evidence of a run, and say what each loss would cost. Runs no network, needs no PyTorch."""
    from offramp.pipeline import load

    from ._parse import read_search, read_target

    chosen = None if search is None and grid is None else read_search(search or "screening", grid)
    read = partial(
        read_target, max_loss=max_loss, confidence=confidence, kind=kind, budget=budget, knee=knee, margin=margin
    )
    read()  # what is wrong is said before anything is opened
    run = load(folder)
    target = read(usual=run.goal)
    with _terminal(json) as terminal:
        found = run.sweep(target=target, score=score, search=chosen, apply=apply, on_progress=terminal)
    if json:
        _print_json(found)
    else:
        from offramp import report

        console = _console()
        report.print_sweep(found, console)
        console.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)
    _leave_if_refused(found)


@app.command()
def check(  # noqa: PLR0913  (options of the command line)
    folder: Folder,
    data: Annotated[str, typer.Option(help="New samples: a data reference, as for optimize; labels are not needed.")],
    samples: Annotated[int, typer.Option(help="Number of samples, drawn at random, that run to the end.")] = 2000,
    confidence: Annotated[float | None, typer.Option(help="Confidence of the limits of the loss; that of the promise "
                                                     "by default.")] = None,
    alpha: Annotated[float, typer.Option(help="Chance that samples which did not change raise the alarm.")] = 0.01,
    out: Annotated[Path | None, typer.Option(help="Picture to write: .png, .svg or .pdf; or .json.")] = None,
    threads: Threads = 1,
    tokenizer: Annotated[str | None, typer.Option(help="Folder of a Hugging Face tokenizer, for texts.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:  # fmt: skip
    """Say whether new samples still look like the calibration samples, and whether the promise stands on them.

    Exit code 3 is the alarm: they look different, or the promise is broken. Needs no labels and no PyTorch.
    """
    from offramp.pipeline import load
    from offramp.pipeline._check import check_out, write_found
    from offramp.pipeline._ranges import check_ranges
    from offramp.store._file import reserve_file

    check_ranges(samples=samples, confidence=confidence, alpha=alpha, seed=seed, threads=threads)
    if out is not None:
        check_out(out)
    with reserve_file(out), _terminal(json) as terminal:
        found = load(folder).check(
            data, count=samples, confidence=confidence, alpha=alpha, seed=seed, threads=threads, tokenizer=tokenizer,
            on_progress=terminal,
        )  # fmt: skip
        if out is not None:
            write_found(found, out)
    if json:
        _print_json(found)
    else:
        from offramp import report

        report.print_drift(found, _console())
    if found.alarm:
        raise typer.Exit(NOT_CERTIFIED)


@app.command()
def recalibrate(  # noqa: PLR0913  (options of the command line)
    folder: Folder,
    data: Annotated[str, typer.Option(help="New samples: a data reference, as for optimize; labels are not needed.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; that of the run by default.")] = None,
    max_loss: MaxLoss = None,
    confidence: Confidence = None,
    kind: Kind = None,
    margin: Margin = None,
    budget: Budget = None,
    knee: Knee = False,
    search: Annotated[str | None, typer.Option(help="Search: frontier or screening; as in the run by default.")] = None,
    grid: Grid = None,
    threads: Threads = 1,
    tokenizer: Annotated[str | None, typer.Option(help="Folder of a Hugging Face tokenizer, for texts.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:  # fmt: skip
    """Choose and prove thresholds again on new samples, and write them to the folder. Trains nothing, needs no PyTorch.

    If too few samples were given for a promise, nobody leaves early any more, and the exit code is 3.
    """
    from dataclasses import replace

    from offramp.pipeline import load
    from offramp.pipeline._ranges import check_ranges

    from ._parse import read_search, read_target

    chosen = None if search is None and grid is None else read_search(search or "screening", grid)
    check_ranges(seed=seed, threads=threads)
    read = partial(
        read_target, max_loss=max_loss, confidence=confidence, kind=kind, budget=budget, knee=knee, margin=margin
    )
    read()  # what is wrong is said before anything is opened
    run = load(folder)
    with _terminal(json) as terminal:
        renewed = run.recalibrate(
            data, target=read(usual=replace(run.goal, kind=None)), search=chosen, out=out, seed=seed,
            threads=threads, tokenizer=tokenizer, on_progress=terminal,
        )  # fmt: skip
    _finish(renewed, json)


def _finish(run: Run, as_json: bool) -> None:
    """Show a run, and leave with 3 if a promise was refused."""
    result = run.record
    if as_json:
        _print_json(result)
    else:
        from offramp import report

        console = _console()
        report.print_table(result, console)
        for line in result.verdict:
            console.print(line, markup=False, soft_wrap=True)
        console.print(f"report: {run.folder / 'report.html'}", markup=False, soft_wrap=True)
    _leave_if_refused(result)


def _terminal(quiet: bool, *, log: bool = False) -> AbstractContextManager[Terminal]:
    """What shows progress and warnings, as long as a command runs."""
    from ._screen import Terminal

    return Terminal(quiet=quiet, log=log).heard()


def _console(width: int = 120) -> Console:
    """As wide as the terminal, or so wide for a file."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=width)


def _leave_if_refused(found: RunRecord | SweepRecord) -> None:
    if found.is_refused:
        raise typer.Exit(NOT_CERTIFIED)


def _print_json(found: Part | dict[str, Any]) -> None:  # Any: JSON
    from offramp.store.record import to_json

    print(json.dumps(found, indent=1, allow_nan=False) if isinstance(found, dict) else to_json(found))
