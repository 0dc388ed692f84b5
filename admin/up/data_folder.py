"""The data folder of `seckill up`: who uses it, what lies where, and the secrets that were made for it.

==================  ==========================================================================
``lock``            held by the `up` that uses the folder; says its process id
``secrets.env``     secrets that the environment did not give, mode 0600
``operator.txt``    name and first password of the first operator, mode 0600
``seckill.db``      the ledger (SQLite), unless the environment names another database
``redis/``          the embedded Redis: append-only file, configuration, socket, process id
``logs/``           one log per process; the previous piece of a long one ends in ``.1``
``scratch/``        temporary files of the processes, emptied at every start
==================  ==========================================================================
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from admin.up.errors import CannotStart

SECRET_VARIABLES = ("SECKILL_TOKEN_SECRET", "SECKILL_ADMIN_KEY", "SECKILL_SIGNING_SECRET")
SECRET_RANDOM_BYTES = 32

_UNFIT_FOR_URLS = re.compile(r"[?#%\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths inside the folder; `path` is absolute."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> DataFolder:
        """Make the folder if it is not there; nobody else on the machine may look into a new one.

        Raises:
            CannotStart: it cannot be made or written, or its name does not fit into a database URL.
        """
        folder = cls(path.expanduser().resolve())
        if _UNFIT_FOR_URLS.search(str(folder.path)):
            raise CannotStart(f"the data folder's path may not contain ?, # or %: {folder.path}")
        try:
            folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.logs.mkdir(exist_ok=True)
            folder.redis.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotStart(f"the data folder {folder.path} cannot be made: {error.strerror}") from error
        return folder

    @property
    def secrets(self) -> Path:
        """File of the secrets that were made here."""
        return self.path / "secrets.env"

    @property
    def first_operator(self) -> Path:
        """File with the name and the first password of the first operator."""
        return self.path / "operator.txt"

    @property
    def redis(self) -> Path:
        """Folder of the embedded Redis."""
        return self.path / "redis"

    @property
    def logs(self) -> Path:
        """Folder of the logs."""
        return self.path / "logs"

    @property
    def scratch(self) -> Path:
        """Folder of temporary files."""
        return self.path / "scratch"

    @property
    def database_url(self) -> str:
        """The ledger in this folder."""
        return f"sqlite:///{self.path / 'seckill.db'}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: the kernel lets go of it however this process ends.

        Raises:
            CannotStart: another `up` holds it, or it cannot be written.
        """
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(f"the data folder {self.path} cannot be written: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                raise CannotStart(
                    f"the data folder {self.path} is in use by another `seckill up`"
                    + (f" (process {holder})" if holder else "")
                ) from error
            # Killed processes cannot tidy up after themselves.
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch.mkdir(mode=0o700, exist_ok=True)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)


def complete_secrets(folder: DataFolder, environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets that `environ` does not give: kept ones, and new ones for what is still missing.

    Raises:
        CannotStart: the file cannot be read or written, or a line has another form.
    """
    kept = _read_secrets(folder.secrets)
    missing = [name for name in SECRET_VARIABLES if not environ.get(name) and name not in kept]
    if missing:
        kept |= {name: secrets.token_urlsafe(SECRET_RANDOM_BYTES) for name in missing}
        _write_private(folder.secrets, "".join(f"{name}={value}\n" for name, value in kept.items()))
    return {name: value for name, value in kept.items() if not environ.get(name)}


def _read_secrets(path: Path) -> dict[str, str]:
    kept: dict[str, str] = {}
    try:
        # Somebody may have copied the folder about; the file must not stay readable for others.
        path.chmod(0o600)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return kept
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or name not in SECRET_VARIABLES:
            raise CannotStart(f"{path}, line {number}: want one of {', '.join(SECRET_VARIABLES)}, = and a value")
        kept[name] = value
    return kept


def _write_private(path: Path, text: str) -> None:
    """Replace a file as a whole: after a crash there is the old one or the new one, never half of one."""
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise CannotStart(f"{path} cannot be written: {error.strerror}") from error
