"""`python -m node`: run one node."""

import sys

from node.runtime.main import main

if __name__ == "__main__":
    sys.exit(main())
