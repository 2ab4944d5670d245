"""Start `--practice` as `./kiosk --practice` does, from the checkout."""

import sys

from coykiosk.__main__ import main

if __name__ == "__main__":
    sys.argv[1:] = ["--practice"]
    sys.exit(main())
