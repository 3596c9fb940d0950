"""``python -m refnum``: the command line."""

import sys

from refnum.cli import main

if __name__ == "__main__":
    sys.exit(main())
