"""The solver of Burgers' equation against the solution of Cole and Hopf."""

import math

import numpy as np
import pytest

from refnum.autograd import Stream
from refnum.training import initial_functions, solve_burgers

VISCOSITY, TIME = 0.02, 0.5


def cole_hopf(points):
    """The solution that begins as a sine, by the heat equation of its potential.

    u = -2 v phi_x / phi, where phi spreads by phi_t = v phi_xx (Hopf, 1950; Cole,
    1951); Fourier series give phi to the last digits.
    """
    fine = 4096
    x = np.arange(fine) / fine
    phi = np.exp((np.cos(2 * np.pi * x) - 1) / (4 * np.pi * VISCOSITY))
    wave = 2 * np.pi * np.fft.fftfreq(fine, 1 / fine)
    spread = np.fft.fft(phi) * np.exp(-VISCOSITY * wave**2 * TIME)
    slope = np.fft.ifft(1j * wave * spread) / np.fft.ifft(spread)
    return (-2 * VISCOSITY * slope.real)[:: fine // points]


def test_errors_fall_with_the_square_of_the_distance_of_points():
    errors = []
    for points in (64, 128, 256):
        start = np.sin(2 * np.pi * np.arange(points) / points)
        found = solve_burgers(start, VISCOSITY, TIME)
        errors.append(np.abs(found - cole_hopf(points)).max())
    assert errors[1] < 1e-3
    ratios = np.array(errors[:-1]) / errors[1:]
    assert (ratios > 3.5).all()


def test_the_integral_stays():
    start = initial_functions(Stream(0), 5, 64)
    end = solve_burgers(start, 0.05, 0.3)
    np.testing.assert_allclose(end.mean(1), start.mean(1, dtype=float), atol=1e-12)


def test_each_function_is_solved_by_itself_where_speeds_are_alike():
    start = np.stack(
        [np.roll(initial_functions(Stream(1), 1, 64)[0], k) for k in (0, 9)]
    )
    both = solve_burgers(start, 0.05, 0.2)
    assert both[0].tobytes() == solve_burgers(start[0], 0.05, 0.2).tobytes()
    assert both[1].tobytes() == np.roll(both[0], 9).tobytes()


def test_no_time_changes_nothing():
    start = np.linspace(0, 1, 8)
    assert (solve_burgers(start, 1.0, 0.0) == start).all()


def test_initial_functions_are_scaled():
    found = initial_functions(Stream(2), 7, 32)
    assert found.dtype == np.float32
    assert (np.abs(found).max(1) == 1).all()


@pytest.mark.parametrize(
    ("u", "viscosity", "time", "message"),
    [
        ([1.0, 2.0], 1.0, 1.0, "at least 4 points"),
        ([1.0, math.nan, 0.0, 0.0], 1.0, 1.0, "finite"),
        (np.zeros(8), 0.0, 1.0, "viscosity must be positive"),
        (np.zeros(8), math.inf, 1.0, "viscosity must be positive"),
        (np.zeros(8), 1.0, -1.0, "not negative"),
        (np.zeros(8), 1.0, math.nan, "finite"),
        (np.ones(8), 0.01, 1.0, "8 points are too few"),
    ],
)
def test_bad_input(u, viscosity, time, message):
    with pytest.raises(ValueError, match=message):
        solve_burgers(u, viscosity, time)
