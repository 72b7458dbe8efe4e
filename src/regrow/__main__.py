"""`python -m regrow` is the `regrow` command."""

import sys

try:
    from regrow.cli import main

    main()
except KeyboardInterrupt:  # while it was still loading; `main` sees to the rest
    print("regrow: INTERRUPTED: stopped by the keyboard; nothing was written.", file=sys.stderr)
    sys.exit(130)
