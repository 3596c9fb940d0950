"""The options that choose a cast, shared by the commands that convert."""

from __future__ import annotations

import argparse
from dataclasses import replace

from refnum.formats import Cast, Rounding, Saturation, casts

__all__ = ["add_cast_options", "cast_of"]


def add_cast_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cast``, ``--rounding``, ``--saturation`` and ``--random-bits``."""
    parser.add_argument(
        "--cast",
        type=str.upper,
        choices=casts.names(),
        metavar="NAME",
        help=f"a library's cast: {', '.join(casts.names())}",
    )
    modes = [mode.value for mode in Rounding]
    parser.add_argument(
        "--rounding", choices=modes, metavar="MODE", help=", ".join(modes)
    )
    parser.add_argument(
        "--saturation", choices=[mode.value for mode in Saturation], help="of overflow"
    )
    parser.add_argument("--random-bits", type=int, metavar="N", help="1 to 32")


def cast_of(args: argparse.Namespace) -> Cast:
    """Return the cast that the options say; without any, the default one."""
    cast: Cast = getattr(casts, args.cast) if args.cast else Cast()
    if args.rounding is not None:
        rounding, bits = Rounding(args.rounding), args.random_bits
        cast = replace(cast, rounding=rounding, random_bits=bits, exceptions=())
    elif args.random_bits is not None:
        cast = replace(cast, random_bits=args.random_bits)
    if args.saturation is not None:
        cast = replace(cast, saturation=Saturation(args.saturation), exceptions=())
    return cast
