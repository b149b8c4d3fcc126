"""`python -m macro`."""

import sys

from macro.commands.cli import main

sys.exit(main())
