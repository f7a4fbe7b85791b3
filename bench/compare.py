"""`python -m bench.compare OLD.json NEW.json`: the targets of two runs side by side."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.machine import refuse_other_python
from bench.markdown import table
from bench.results import Results, read
from bench.targets import rows_of


def compared(old: Results, new: Results) -> list[str]:
    """Raises SystemExit when the two ran on different Pythons."""
    refuse_other_python(old.machine, new.machine)
    before = {row.what: row for row in rows_of(old)}
    return list(
        table(
            ("What", old.machine.commit, new.machine.commit),
            *(
                (row.what, before[row.what].said(before[row.what].figure), row.said(row.figure))
                for row in rows_of(new)
                if row.what in before
            ),
        )
    )


if __name__ == "__main__":
    print("\n".join(compared(read(Path(sys.argv[1])), read(Path(sys.argv[2])))))
