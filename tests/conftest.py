"""How the tests run: hypothesis tries the same examples on every machine.

`--hypothesis-profile=dev` searches further, with new examples at each run.
"""

from hypothesis import settings

# Programs to run, not tests to collect: they import peers that may be absent.
collect_ignore = ["benchmarks"]

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None, max_examples=1000)
settings.load_profile("ci")
