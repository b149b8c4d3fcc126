"""How fast PrivateImage is, beside what people use instead: `python -m benchmarks`.

One run measures everything and prints one table of ratios, with the milliseconds behind them. Both
sides of a ratio are run in turns, so that what else the machine does falls on both; the least of
several times counts, since all that disturbs makes longer, and the median stands beside it. Of a
process the time is that from its start to its end, with bytecode in place: the first turn of each
side, in which Python writes it, does not count. Both sides run the same Python.

pyperf, the field's own harness, is not used: it measures one side after the other, and neither an
invocation that another process answers nor memory. What it does for the rest (many processes,
warm-up, repeats until a sample is long enough) is a few lines in `timing.py`.

What is measured against is installed on the first run into `benchmarks/.cache`, by pip and npm.
Where that cannot be, the table says so. The server that stands for Lambda's is that of the tests.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

sys.path.append(str(ROOT / "tests" / "support"))
