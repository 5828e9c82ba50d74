"""``circnn verify``: the same inputs through every back end must give the same bits."""

import argparse
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .. import backends
from ..backends.base import BasePlan
from ..backends.native import Plan as NativePlan
from ..contract import CONFIGURATIONS
from ..errors import BackendError, CompileError
from ..model import model as models
from ..model.model import Model
from ..program.compiler import compile_program
from .common import add_command, add_json, add_model, load_arrays, pick, positive, print_json

ORDER = 40

Runs = Dict[str, BasePlan]


def verification_inputs(model: Model, samples: int, seed: int) -> List[Tuple[str, np.ndarray]]:
    """Return named batches: random over the input's range, beyond it, and unscaled bytes."""
    random = np.random.default_rng(seed)
    shape = (samples, *model.input_shape)
    unit = 2.0 ** model.network.exponents[model.network.input.name]
    uniform = random.uniform(-32767, 32767, shape)
    normal = random.normal(0, 8000, shape)
    extreme = random.choice([-40000.0, -32767.0, 0.0, 1.0, 32767.0], shape)
    named = (("uniform", uniform), ("normal", normal), ("extreme", extreme))
    batches = [(name, (words * unit).astype(np.float32)) for name, words in named]
    if model.network.input.uint8_scale is not None:
        batches.append(("bytes", random.integers(0, 256, shape).astype(np.uint8)))
    return batches


def plans_to_verify(
    model: Model, names: Optional[Sequence[str]] = None
) -> Tuple[Runs, Dict[str, str]]:
    """Return the plans to compare with the reference, and why others were left out.

    These are every available back end, or those of `names`, which must be available. The native
    back end also runs the program of each engine configuration that the network fits.
    """
    left_out: Dict[str, str] = {}
    named = names is not None
    if names is None:
        availability = backends.availability()
        names = [name for name, reason in availability.items() if reason is None]
        left_out = {name: reason for name, reason in availability.items() if reason is not None}
    runs = {}
    for name in names:
        try:
            if name != "reference":
                runs[name] = model.plan(name)
        except CompileError as error:  # the network does not fit the engine
            if named:
                raise
            left_out[name] = str(error)
    if "native" in runs:
        for configuration in CONFIGURATIONS:
            label = f"native, {configuration} program"
            try:
                program = compile_program(model.network, configuration)
            except CompileError as error:
                left_out[label] = str(error)
                continue
            if configuration != "host":
                runs[label] = NativePlan(model.network, program)
    return runs, left_out


def verify(
    model: Model,
    names: Optional[Sequence[str]] = None,
    samples: int = 64,
    seed: int = 0,
    data: Optional[np.ndarray] = None,
) -> Dict[str, Any]:
    """Return whether every back end equals the reference to the bit, as JSON values.

    Parameters
    ----------
    model : Model
    names : sequence of str, optional
        Back ends to compare; all available ones when left out.
    samples, seed : int
        Of the random batches.
    data : array, optional
        One more batch, in the form that :meth:`Model.predict` takes.

    Returns
    -------
    dict
        ``equal``: whether all are; ``results``: for each back end and batch the number of
        ``values`` compared and of ``different`` ones, whether the saturation counts are equal, and
        whether the values are without counting; ``left_out``: reasons by back end.
    """
    batches = verification_inputs(model, samples, seed)
    if data is not None:
        batches.append(("data", model.as_batch(data)))
    runs, left_out = plans_to_verify(model, names)
    if not runs:
        raise BackendError(
            "a back end must be available to compare with the reference. "
            f"Received: {', '.join(names or left_out) or 'none'}. "
            + " ".join(f"Back end {name!r}: {reason}" for name, reason in left_out.items())
        )
    results = []
    for label, x in batches:
        expected_counts = np.zeros(len(model.layers), dtype=np.int64)
        expected = model.plan("reference").run(x, saturations=expected_counts)
        for name, plan in runs.items():
            counts = np.zeros_like(expected_counts)
            actual = plan.run(x, saturations=counts)
            results.append(
                {
                    "backend": name,
                    "inputs": label,
                    "values": int(expected.size),
                    "different": int(np.count_nonzero(actual != expected)),
                    "saturations_equal": bool(np.array_equal(counts, expected_counts)),
                    "without_counting_equal": bool(np.array_equal(plan.run(x), expected)),
                }
            )
    equal = all(
        result["different"] == 0
        and result["saturations_equal"]
        and result["without_counting_equal"]
        for result in results
    )
    return {"model": model.name, "equal": equal, "results": results, "left_out": left_out}


def _verify(arguments: argparse.Namespace) -> int:
    model = models.load_model(arguments.model)
    names = arguments.backends.split(",") if arguments.backends else None
    data = None
    if arguments.data:
        data = pick(load_arrays(arguments.data), arguments.data, "x", "x_test")
    report = verify(model, names, arguments.samples, arguments.seed, data)
    if arguments.json:
        print_json(report)
        return 0 if report["equal"] else 1
    for result in report["results"]:
        counts = "equal" if result["saturations_equal"] else "DIFFERENT"
        same = result["different"] == 0 and result["without_counting_equal"]
        verdict = "equal to the bit" if same else f"DIFFERENT in {result['different']:,}"
        print(
            f"{result['backend']:24} {result['inputs']:8} {result['values']:8,} values "
            f"{verdict}, saturation counts {counts}"
        )
    for name, reason in report["left_out"].items():
        print(f"{name:24} left out: {reason}")
    verdict = "every back end equals the reference" if report["equal"] else "MISMATCH"
    print(f"{model.name}: {verdict}")
    return 0 if report["equal"] else 1


def register(commands: Any) -> None:
    """Add the subcommand ``verify``."""
    parser = add_command(
        commands, "verify", _verify, "run every back end on the same inputs: equal, or exit 1"
    )
    add_model(parser)
    parser.add_argument("--backends", metavar="A,B", help="only these; all available by default")
    parser.add_argument("--samples", type=positive, default=64, help="samples of a random batch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", metavar="X.npy", help="compare on these samples too")
    add_json(parser)
