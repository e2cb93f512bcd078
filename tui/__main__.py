"""`python -m tui`: the same program as `loggos`; engines are started this way, with the interpreter that runs."""

from tui.cli import main

raise SystemExit(main())
