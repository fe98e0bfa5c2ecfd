"""The `flashcore` command that came with the package: `python -m flashcore info`."""

import os
import sys
from pathlib import Path

COMMAND = Path(__file__).parent / "bin" / "flashcore"


def main() -> None:
    os.execv(COMMAND, [str(COMMAND), *sys.argv[1:]])


if __name__ == "__main__":
    main()
