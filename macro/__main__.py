"""`python -m macro`."""

import sys

from macro.cli import main

sys.exit(main())
