"""refnum in other people's tests: assertions, strategies, a pytest plugin.

- Assertions compare bits and say which one differs.
- `refnum.testing.strategies` draws formats, codes and values with hypothesis; import it
  by name, as it needs ``pip install refnum[testing]``.
- `refnum.testing.plugin` runs a kernel over golden cases: ``pytest --refnum-golden DIR``.
"""

from refnum.testing.assertions import (
    assert_codes_equal,
    assert_product_equal,
    assert_quantized_equal,
    assert_values_equal,
)
from refnum.testing.golden_case import GoldenCase, case_names, read_case

__all__ = [
    "GoldenCase",
    "assert_codes_equal",
    "assert_product_equal",
    "assert_quantized_equal",
    "assert_values_equal",
    "case_names",
    "read_case",
]
