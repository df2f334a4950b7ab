"""The commands; what they import from the torch floors, they import when they run."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from offramp.errors import OfframpError

BAD_INPUT, NOT_CERTIFIED = 2, 3
app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Make a trained network spend on each input only the compute that it needs, with a promise.",
)  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines, no progress.")]
Model = Annotated[str, typer.Option(help="package.module:callable, zoo:NAME, torchvision:NAME, timm:NAME or hf:PATH.")]
Weights = Annotated[Path | None, typer.Option(help="A .pt, .pth, .th or .safetensors file.")]
Data = Annotated[str, typer.Option(help="digits, mnist:DIR, npz:FILE, imagefolder:DIR, torchvision:NAME:DIR or tsv:FILE; @train, @test.")]
Tokenizer = Annotated[str | None, typer.Option(help="Folder of a Hugging Face tokenizer, for texts.")]
Engine = Annotated[str, typer.Option(help="openvino or onnxruntime.")]
Threads = Annotated[int, typer.Option(help="CPU threads per call.")]


def main() -> None:
    """Run the command line; bad input ends with one sentence and exit code 2."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    try:
        app(standalone_mode=True)
    except OfframpError as error:
        print(f"offramp: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        print("offramp: interrupted; the same command with --resume goes on.", file=sys.stderr)
        sys.exit(130)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("out/demo"),
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Train a LeNet-5 on digits and run the whole chain on it: at most 1 % of answers change, with 95 % confidence."""
    from ._demo import run_demo
    from ._options import Options

    options = Options(
        model="zoo:lenet5", data="digits", out=out, seed=seed, exits=1, placement="linear", epochs=30, max_loss=0.01
    )
    _finish(run_demo(options, say=_say(as_json), progress=not as_json), out, as_json)


@app.command()
def inspect(model: Model, weights: Weights = None, shape: Annotated[str | None, typer.Option(help="3,32,32")] = None, as_json: Json = False) -> None:
    """List the cut points of a network: name, shape, share of MACs."""
    from offramp import build

    sizes = tuple(int(part) for part in shape.split(",")) if shape else None
    loaded = build.load_model(model, weights=weights, shape=sizes)
    captured = build.capture(loaded.module, loaded.example)
    rows = [
        {"index": index, "name": name, "shape": list(sizes), "share": share} for index, name, sizes, share in captured.table()
    ]
    if as_json:
        print(json.dumps({"model": model, "macs": captured.macs, "eval_only": captured.eval_only, "cuts": rows}))
        return
    table = Table(title=f"{model}: {captured.macs / 1e6:.1f} M MACs, {len(rows)} cut points")
    for heading in ("index", "name", "shape", "share of MACs"):
        table.add_column(heading)
    for row in rows:
        table.add_row(str(row["index"]), row["name"], "x".join(map(str, row["shape"])), f"{row['share']:.1%}")
    Console().print(table)


@app.command()
def optimize(  # noqa: PLR0913  # one parameter per option of the command
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    weights: Weights = None,
    held_out: Annotated[str | None, typer.Option(help="Samples that the network did not train on.")] = None,
    tokenizer: Tokenizer = None,
    max_loss: Annotated[float | None, typer.Option(help="Accepted loss; 0.01 unless --budget or --knee.")] = None,
    confidence: float = 0.95,
    kind: Annotated[str, typer.Option(help="agreement, harm or net.")] = "agreement",
    budget: Annotated[float | None, typer.Option(help="Relative MACs to spend instead.")] = None,
    knee: Annotated[bool, typer.Option("--knee", help="Take the bend of the frontier instead.")] = False,
    exits: int = 4,
    placement: Annotated[str, typer.Option(help="linear, fine, pareto, golden, or cut points: a,b,c.")] = "linear",
    head: Annotated[str, typer.Option(help="auto, light, pool, conv0 to conv3 or token.")] = "auto",
    score: Annotated[str, typer.Option(help="max_probability, entropy, margin or confidence.")] = "max_probability",
    epochs: int = 8,
    mean: Annotated[str | None, typer.Option(help="Per channel: 0.5,0.5,0.5.")] = None,
    std: Annotated[str | None, typer.Option(help="Per channel.")] = None,
    engine: Engine = "openvino",
    threads: Threads = 1,
    seed: int = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from a killed run with the same options.")] = False,
    as_json: Json = False,
) -> None:
    """Attach exits to a trained network, train them without labels, prove what was kept, write one file."""
    from ._optimize import optimize as run
    from ._options import Options

    options = Options(
        model=model, data=data, out=out, weights=weights, held_out=held_out, tokenizer=tokenizer, max_loss=max_loss,
        confidence=confidence, kind=kind, budget=budget, knee=knee, exits=exits, placement=placement, head=head,  # type: ignore[arg-type]  # Options checks the names
        score=score, epochs=epochs, mean=_numbers(mean, "mean"), std=_numbers(std, "std"), engine=engine, threads=threads,  # type: ignore[arg-type]  # as above
        seed=seed,
    )  # fmt: skip
    _finish(run(options, resume=resume, say=_say(as_json), progress=not as_json), out, as_json)


@app.command()
def bench(
    folder: Annotated[Path, typer.Argument(help="What optimize wrote.")],
    data: Annotated[str | None, typer.Option(help="Samples to run on; noise without.")] = None,
    engine: Engine = "openvino",
    threads: Threads = 1,
    batch: int = 1,
    as_json: Json = False,
) -> None:
    """Time the file at its thresholds beside the same file with nobody leaving early."""
    from ._bench import run_bench

    found = run_bench(folder, data=data, engine=engine, threads=threads, batch=batch)
    if as_json:
        print(json.dumps(found))
        return
    for name in ("nobody leaves", "chosen"):
        times = found[name]
        print(f"{name:>14}  {times['mean'] * 1e3:8.3f} ms  p50 {times['p50'] * 1e3:.3f}  p95 {times['p95'] * 1e3:.3f}")
    print(f"{'gain':>14}  {found['gain']:8.2f}x  batch {batch}, {engine}, {threads} thread(s)")


@app.command()
def predict(
    folder: Annotated[Path, typer.Argument(help="What optimize wrote.")],
    data: Data,
    out: Annotated[Path | None, typer.Option(help="A .csv file; else the terminal.")] = None,
    tokenizer: Tokenizer = None,
    thresholds: Annotated[str | None, typer.Option(help="Other thresholds: 0.9,0.8.")] = None,
    engine: Engine = "openvino",
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Answer samples: class, exit and score of each."""
    from ._predict import run_predict, write_rows

    limits = _numbers(thresholds, "thresholds")
    rows = run_predict(folder, data, tokenizer=tokenizer, thresholds=limits, engine=engine, threads=threads)
    if out is not None:
        write_rows(rows, out)
    elif as_json:
        print(json.dumps(rows))
    else:
        for row in rows:
            print(f"{row['id']}\t{row['class']}\t{row['exit']}\t{row['score']:.4f}")


def _finish(result: dict[str, Any], out: Path, as_json: bool) -> None:  # Any: JSON
    """Print a result and leave with its exit code."""
    from offramp import report

    if as_json:
        print(json.dumps(result))
    else:
        print(report.table(result))
        print(f"\n{result['verdict']}\nreport: {out / 'report.html'}")
    if result["guarantee"] and result["guarantee"]["status"] == "refused":
        raise typer.Exit(NOT_CERTIFIED)


def _say(as_json: bool) -> Callable[[str], None]:
    if as_json:
        return lambda text: None
    console = Console(stderr=True)
    return lambda text: console.print(f"[dim]{text} ...[/dim]")


def _numbers(text: str | None, name: str) -> tuple[float, ...] | None:
    from offramp.errors import OptionError

    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"--{name} must be numbers with commas between, but is {text!r}: write 0.5,0.5,0.5.") from error
