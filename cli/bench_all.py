"""``fusedet bench --all``: every form of a bundle, in turn, and the quickest that agrees is kept for this machine."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusedet.cli.bench_report import as_json, form_lines, machine_lines
from fusedet.cli.shared.arguments import json_text
from fusedet.cli.shared.files import write_or_refuse
from fusedet.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fusedet.deploy.bench.forms import Form

_INTERRUPTED = 130


def bench_all(
    args: argparse.Namespace,
    bundle: Path,
    images: "list[NDArray[Any]] | None",
    load: float | None,
    tell: "Callable[[str, int, int | None], None]",
) -> int:
    """Measures, prints a table, and saves the choice beside the bundle; returns the exit code.

    ``images`` are looked at, or the bundle's own; ``load`` is that of the machine before; ``tell`` says how far it is.
    """
    from fusedet.common.machine import this_machine
    from fusedet.deploy.bench.contest import Entrant, Plan, Samples, take_turns
    from fusedet.deploy.bench.forms import quickest, read_forms
    from fusedet.deploy.bench.images import own_image
    from fusedet.deploy.bench.tune import candidates, choose
    from fusedet.deploy.bench.tuned import write_tuned

    machine, forms = this_machine(), read_forms(bundle)
    able, reasons = _that_open(forms)
    looked_at = images or [own_image(bundle)[0]]
    entrants = [one for form in able for one in candidates(form.path, args.threads)]
    print("\n".join(machine_lines(machine, load)), flush=True)
    measured = {entrant: Samples() for entrant in entrants}
    try:
        take_turns(measured, lambda _: looked_at, Plan(args.rounds, args.seconds, args.fps), tell=tell)
    except KeyboardInterrupt:
        print(f"\n{bundle}: interrupted, nothing is chosen")
        return _INTERRUPTED
    tuning, chosen = {}, {}
    for form in able:
        samples = {one: own for one, own in measured.items() if one.model == form.path}
        tuned, reason = choose(samples, args.fps)
        tuning[form.path] = samples, tuned, reason
        chosen[form] = tuned, samples[Entrant(form.path, tuned.threads, tuned.spinning)]
    best, reason = quickest(chosen)
    print("\n".join(["", str(bundle), *form_lines(chosen, reasons), f"{best.file}: {reason}"]))
    try:
        print(f"saved: {write_tuned(bundle, best, reason)}")
    except InputError as error:  # what was measured is worth more than the file
        print(f"not saved: {error}")
    if args.json is not None:
        content = as_json(machine, load, [], tuning)
        facts = [
            {"file": one.path.name, "certified": one.certified, "matched_share": one.matched_share, "ap": one.ap}
            for one in forms
        ]
        write_or_refuse(args.json, json_text({**content, "forms": facts, "chosen": best.file}))
        print(f"written: {args.json}")
    return 0


def _that_open(forms: "list[Form]") -> "tuple[list[Form], dict[Form, str]]":
    """Those that this machine can run, and why it cannot run the others; that of every CPU must."""
    from fusedet.deploy.detector.detector import Detector

    able, reasons = [], {}
    for form in forms:
        try:
            Detector(form.path, threads=1)
        except InputError as error:
            if form is forms[0]:
                raise
            reasons[form] = str(error).partition(": ")[2]
        else:
            able.append(form)
    return able, reasons
