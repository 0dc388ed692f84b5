"""The `seckill` command. What an operator can put right ends with one sentence and exit code 2."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gateway
from gateway import lifeline
from gateway.errors import SeckillError, SettingsError
from gateway.settings import Settings

DATA_DEFAULT = Path("seckill-data")
GATEWAY_PORT = 8000
ADMIN_PORT = 8001
TOKEN_TTL_S = 3600

EXIT_OPERATOR = 2
"""The operator can put it right: a setting, a port, a folder, a missing program."""

EXIT_BROKEN = 1
"""Done, and not all is well: `reconcile` found a broken invariant, or could not repair it; rows of an import have
errors; a replayed quote is not what was answered.
"""

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except SeckillError as error:
        print(f"seckill: {error}", file=sys.stderr)
        return EXIT_OPERATOR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="seckill", description=gateway.__doc__, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"seckill {gateway.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    up = _command(commands, "up", _up, "gateway, order writer, sidecar, Redis and database on one machine")
    up.add_argument("--data", metavar="DIR", type=Path, default=DATA_DEFAULT, help="data folder (%(default)s)")
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    up.add_argument("--gateway-port", type=_port, default=GATEWAY_PORT, help="(%(default)s); 0: a free one")
    up.add_argument("--admin-port", type=_port, default=ADMIN_PORT, help="(%(default)s); 0: a free one")
    up.add_argument("--workers", type=_positive, metavar="N", help="gateway worker processes (up to 2)")
    up.add_argument("--no-demo", action="store_true", help="no demo sales and no demo shoppers")

    web = _command(commands, "gateway", _gateway, "the gateway alone; settings from the environment")
    _listening(web, GATEWAY_PORT)
    web.add_argument("--workers", type=_positive, metavar="N", help="worker processes (SECKILL_WORKERS)")
    _command(commands, "writer", _writer, "the order writer alone; settings from the environment")
    _listening(_command(commands, "admin", _admin, "the sidecar alone; settings from the environment"), ADMIN_PORT)

    token = _command(commands, "token", _token, "print a shopper token signed with SECKILL_TOKEN_SECRET")
    token.add_argument("--sub", required=True, metavar="USER", help="shopper id, 1 to 64 characters")
    token.add_argument("--level", type=_whole, default=0, metavar="N", help="membership level (%(default)s)")
    token.add_argument("--ttl", type=_positive, default=TOKEN_TTL_S, metavar="S", help="seconds (%(default)s)")

    erase = _command(commands, "erase", _erase, "erase a shopper's personal data; orders stay under a pseudonym")
    erase.add_argument("--shopper", required=True, metavar="ID", help="shopper id, as in the token's sub")

    importing = _command(commands, "import", _import, "make and change products, categories or members from CSV")
    importing.add_argument("sheet", choices=("products", "categories", "members"), help="what the rows are")
    importing.add_argument("file", metavar="FILE", type=Path, help="CSV in UTF-8; the first row names the columns")
    importing.add_argument("--dry-run", action="store_true", help="judge everything, store nothing")
    importing.add_argument("--partial", action="store_true", help="store good rows though others have errors")

    codes = _command(commands, "coupon-codes", _coupon_codes, "make codes of which each works once as a coupon")
    codes.add_argument("--coupon", required=True, metavar="CODE", help="the coupon")
    codes.add_argument("--count", required=True, type=_positive, metavar="N", help="how many, up to 100000")
    codes.add_argument("--prefix", default="", metavar="TEXT", help="what each begins with")
    codes.add_argument("--out", type=Path, metavar="FILE", help="write them here, as CSV")

    operator = _command(
        commands, "operator", _operator, "let somebody sign in to the back office; prints a password"
    )
    operator.add_argument("--name", required=True, metavar="NAME", help="what they sign in as")
    operator.add_argument("--role", choices=("viewer", "editor", "owner"), default="viewer", help="(%(default)s)")
    operator.add_argument("--reset", action="store_true", help="they are there already: another role and password")

    reconcile = _command(
        commands, "reconcile", _reconcile, "hold Redis, streams, ledger and books against each other"
    )
    reconcile.add_argument("--offer", metavar="ID", help="only this offer, and not the books of the shop")
    reconcile.add_argument("--repair", action="store_true", help="put right what has one right answer")
    reconcile.add_argument("--json", action="store_true", help="one JSON document instead of lines")

    quote = _command(commands, "quote", _quote, "compute a stored quote again; prints the very bytes of its reply")
    quote.add_argument("--replay", required=True, metavar="TOKEN", help="the quote's token")

    _command(commands, "migrate", _migrate, "bring the database to the newest schema")
    return parser


def _command(commands: Any, name: str, run: Any, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def _listening(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=port, help="port to listen on (%(default)s)")


# Each command imports what it needs when it runs, so that none pays for the others.


def _up(chosen: argparse.Namespace) -> int:
    from admin.up import command, plan

    return command.run(
        plan.Options(
            data=chosen.data,
            host=chosen.host,
            gateway_port=chosen.gateway_port,
            admin_port=chosen.admin_port,
            workers=chosen.workers,
            demo=not chosen.no_demo,
        )
    )


def _gateway(chosen: argparse.Namespace) -> int:
    from gateway.web import serve

    settings = _role_settings()
    return serve.run(settings, chosen.host, chosen.port, chosen.workers or settings.workers)


def _writer(_chosen: argparse.Namespace) -> int:
    from gateway.orders import writer

    return writer.run(_role_settings())


def _admin(chosen: argparse.Namespace) -> int:
    from admin import serve

    return serve.run(_role_settings(), chosen.host, chosen.port)


def _role_settings() -> Settings:
    lifeline.die_with_parent()
    return Settings.from_env()


def _token(chosen: argparse.Namespace) -> int:
    from gateway import tokens

    settings = Settings.from_env()
    settings.require("token_secret")
    text = tokens.mint(settings.token_secret[0], sub=chosen.sub, ttl_s=chosen.ttl, level=chosen.level)
    # Never hand out what the gateway would refuse.
    verifier = tokens.TokenVerifier(settings.token_secret, token_max_bytes=settings.token_max_bytes, cache_max=1)
    verifier.verify(f"Bearer {text}".encode(), time.time())
    print(text)
    return 0


def _erase(chosen: argparse.Namespace) -> int:
    from admin.privacy import erasing

    print(erasing.run(Settings.from_env(), chosen.shopper))
    return 0


def _import(chosen: argparse.Namespace) -> int:
    from admin.sheets import command

    settings = Settings.from_env()
    text, good = command.run(settings, chosen.sheet, chosen.file, dry_run=chosen.dry_run, partial=chosen.partial)
    print(text)
    return 0 if good else EXIT_BROKEN


def _coupon_codes(chosen: argparse.Namespace) -> int:
    from admin.coupons import command

    print(command.run(Settings.from_env(), chosen.coupon, chosen.count, chosen.prefix, chosen.out))
    return 0


def _operator(chosen: argparse.Namespace) -> int:
    from admin.operators import command

    print(command.run(Settings.from_env(), chosen.name, chosen.role, reset=chosen.reset))
    return 0


def _migrate(_chosen: argparse.Namespace) -> int:
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    from admin import migrations

    settings = Settings.from_env()
    try:
        migrations.upgrade(settings.database_url)
    except (SQLAlchemyError, ImportError) as error:
        first_line = str(error).partition("\n")[0]
        raise SettingsError(f"SECKILL_DATABASE_URL cannot be used: {first_line}") from error
    except CommandError as error:
        raise SettingsError(f"the database was migrated by another version of seckill: {error}") from error
    return 0


def _reconcile(chosen: argparse.Namespace) -> int:
    from admin.reconcile import repairs
    from gateway.orders.reconcile import command

    text, sound = command.run(
        Settings.from_env(), offer=chosen.offer, repairing=chosen.repair, json=chosen.json, books=repairs.look
    )
    print(text)
    return 0 if sound else EXIT_BROKEN


def _quote(chosen: argparse.Namespace) -> int:
    from admin.quotes import replaying

    try:
        reply = replaying.run(Settings.from_env(), chosen.replay)
    except replaying.QuoteDiffers as error:
        print(f"seckill: {error}", file=sys.stderr)
        return EXIT_BROKEN
    # The reply's bytes and nothing else.
    sys.stdout.buffer.write(reply)
    sys.stdout.buffer.flush()
    return 0


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError("want a port between 0 and 65535")
    return int(text)


def _whole(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError("want a whole number")
    return int(text)


def _positive(text: str) -> int:
    if _whole(text) == 0:
        raise argparse.ArgumentTypeError("want a whole number above zero")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
