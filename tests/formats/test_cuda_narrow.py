"""FP4 and FP6 as CUDA 13.5's host code converts them, in all four roundings."""

from dataclasses import replace

import numpy as np
import pytest

import refnum as rn
from refnum import Rounding, casts

MODES = (
    Rounding.NEAREST_EVEN,
    Rounding.TOWARD_ZERO,
    Rounding.TOWARD_POSITIVE,
    Rounding.TOWARD_NEGATIVE,
)

# E2M1, E2M3 and E3M2: to nearest, toward zero, up, down. Values just off a tie are
# the next float32.
OBSERVED = """
0               0 0 0 0  00 00 00 00  00 00 00 00
-0              8 8 8 8  20 20 20 20  20 20 20 20
0.25            0 0 1 0  02 02 02 02  04 04 04 04
0.250000089     1 0 1 0  02 02 03 02  04 04 05 04
-0.25           8 8 8 9  22 22 22 22  24 24 24 24
-0.250000089    9 8 8 9  22 22 22 23  24 24 24 25
0.5             1 1 1 1  04 04 04 04  08 08 08 08
0.75            2 1 2 1  06 06 06 06  0a 0a 0a 0a
0.749999881     1 1 2 1  06 05 06 05  0a 09 0a 09
1               2 2 2 2  08 08 08 08  0c 0c 0c 0c
1.25            2 2 3 2  0a 0a 0a 0a  0d 0d 0d 0d
1.25000012      3 2 3 2  0a 0a 0b 0a  0d 0d 0e 0d
1.75            4 3 4 3  0e 0e 0e 0e  0f 0f 0f 0f
1.74999988      3 3 4 3  0e 0d 0e 0d  0f 0e 0f 0e
2.5             4 4 5 4  12 12 12 12  11 11 11 11
2.50000024      5 4 5 4  12 12 13 12  11 11 12 11
3.5             6 5 6 5  16 16 16 16  13 13 13 13
3.49999976      5 5 6 5  16 15 16 15  13 12 13 12
5               6 6 7 6  1a 1a 1a 1a  15 15 15 15
4.99999952      6 6 7 6  1a 19 1a 19  15 14 15 14
5.00000048      7 6 7 6  1a 1a 1b 1a  15 15 16 15
6               7 7 7 7  1c 1c 1c 1c  16 16 16 16
6.5             7 7 7 7  1d 1d 1d 1d  16 16 17 16
7               7 7 7 7  1e 1e 1e 1e  17 17 17 17
7.5             7 7 7 7  1f 1f 1f 1f  18 17 18 17
7.75            7 7 7 7  1f 1f 1f 1f  18 17 18 17
8               7 7 7 7  1f 1f 1f 1f  18 18 18 18
28              7 7 7 7  1f 1f 1f 1f  1f 1f 1f 1f
30              7 7 7 7  1f 1f 1f 1f  1f 1f 1f 1f
1e30            7 7 7 7  1f 1f 1f 1f  1f 1f 1f 1f
-1e30           f f f f  3f 3f 3f 3f  3f 3f 3f 3f
inf             7 7 7 7  1f 1f 1f 1f  1f 1f 1f 1f
-inf            f f f f  3f 3f 3f 3f  3f 3f 3f 3f
nan             7 7 7 7  1f 1f 1f 1f  1f 1f 1f 1f
-nan            7 7 7 7  1f 1f 1f 1f  1f 1f 1f 1f
0.0625          0 0 1 0  00 00 01 00  01 01 01 01
0.0625000969    0 0 1 0  01 00 01 00  01 01 02 01
0.03125         0 0 1 0  00 00 01 00  00 00 01 00
1e-45           0 0 1 0  00 00 01 00  00 00 01 00
-1e-45          8 8 8 9  20 20 20 21  20 20 20 21
"""
ROWS = [line.split() for line in OBSERVED.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_fp4_and_fp6_of_cuda(row):
    value = np.float32(row[0])
    choices = [replace(casts.CUDA, rounding=mode) for mode in MODES]
    formats = rn.E2M1, rn.E2M3, rn.E3M2
    got = [int(rn.encode(value, f, cast)) for f in formats for cast in choices]
    assert got == [int(field, 16) for field in row[1:]]


def test_packed_order():
    fp4 = rn.encode([1.0, -6.0], rn.E2M1, casts.CUDA)
    assert rn.pack(fp4, 4).tobytes().hex() == "f2"
    fp8 = rn.encode([1.0, -2.0], rn.E4M3, casts.CUDA)
    assert rn.pack(fp8, 8).view("<u2").tolist() == [0xC038]
    four = rn.encode([1.0, 2.0, 3.0, 4.0], rn.E2M1, casts.CUDA)
    assert rn.pack(four, 4).view("<u2").tolist() == [0x6542]
