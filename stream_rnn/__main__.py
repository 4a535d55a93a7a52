"""`python -m stream_rnn`."""

import sys

from stream_rnn.cli import main

sys.exit(main())
