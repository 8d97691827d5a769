"""``fusedet bundle``: everything that a board needs of an exported model, in one folder or zip."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="plain file of an export, NAME.onnx")
    parser.add_argument("--out", metavar="PATH", type=Path, help="folder, or FILE.zip (default: NAME.zip beside MODEL)")
    parser.add_argument(
        "--ort",
        action="store_true",
        help="also put in NAME.ort and its operators, for a reduced ONNX Runtime",
    )
    parser.add_argument("--force", action="store_true", help="replace a bundle that is already there")


def run(args: argparse.Namespace) -> int:
    """Writes the bundle and says what is in it."""
    from fusedet.deploy.detector.bundle import open_bundle
    from fusedet.export.bundle import write_bundle

    out = write_bundle(
        args.model, args.out or args.model.with_suffix(".zip"), ort_format=args.ort, overwrite=args.force
    )
    bundle = open_bundle(out)
    print(f"{out}  {sum(map(len, bundle.files.values())) / 1e6:.2f} MB")
    for name, content in sorted(bundle.files.items()):
        print(f"  {name}  {len(content):,} bytes")
    return 0
