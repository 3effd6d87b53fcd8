"""`python -m rootplex` is the command `rootplex`."""

import sys

from rootplex.cli import main

sys.exit(main())
