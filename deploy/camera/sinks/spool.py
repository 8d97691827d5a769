"""A queue on disk: what is put in stays until it was taken, also when the process is killed or the power fails.

The folder holds an SQLite database in WAL mode. A record is with the system as soon as :meth:`Spool.put` returns, so a
killed process loses nothing. It is forced onto the disk only if it has waited for a second: on an SD card that takes up
to a tenth of a second and wears the card, and as a rule the receiver has taken the record by then. A power cut costs
the records of the last second or so.
"""

import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.deploy.camera.sinks.files.folders import make_folder
from fusedet.deploy.camera.sinks.old_spool import read_old_queue, remove_old_queue

_SYNC_EVERY_S = 1.0
_SETUP = (
    "PRAGMA locking_mode = EXCLUSIVE",  # a second queue in the same folder fails instead of sharing it
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA cache_size = -256",  # KiB of pages in memory; records are read once, in order
    "CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY, text BLOB, crc INTEGER)",
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """Something in the queue: its number, which never comes again while the queue is open, and its text."""

    number: int
    text: str


class Spool:
    """A bounded queue of short texts in a folder. Every method may be called from any thread.

    ``waiting`` records were not taken yet, ``dropped`` ones were given up since the start because there were too many.
    What goes wrong with the disk is an ``OSError``.
    """

    def __init__(self, folder: Path, most: int) -> None:
        """Opens the queue, or makes it. A queue of version 0.1, lines in files, is taken over.

        Args:
            folder: of this queue alone; it is made.
            most: the oldest beyond so many are given up.

        Raises:
            InputError: the folder cannot be used, or another queue uses it.
        """
        make_folder(folder)
        self._path = folder / "queue.sqlite3"
        self._most = most
        self.dropped = 0
        self._lock = threading.Lock()
        self._unsynced_since: float | None = None
        self._taken = 0
        self._connection = _open(self._path)
        try:
            [(self._last, self.waiting)] = self._select("SELECT IFNULL(MAX(number), 0), COUNT(*) FROM records")
            self._append(read_old_queue(folder))
            self._sync()
            remove_old_queue(folder)
            self._give_up_oldest(most)
        except (sqlite3.Error, OSError) as error:
            self._connection.close()
            raise InputError(f"{folder}: expected a queue that can be read and written, but: {error}") from error

    def put(self, text: str) -> None:
        """Adds a record, or raises and does not; if there are too many then, the oldest is given up."""
        with self._lock, self._disk_errors():
            self._give_up_oldest(self._most - 1)
            self._append([text])
            self._unsynced_since = self._unsynced_since or time.monotonic()

    def read(self, after: int, most: int) -> list[Record]:
        """The ``most`` next records after a number, oldest first; those that were taken already are left out."""
        query = "SELECT number, text FROM records WHERE number > ? ORDER BY number LIMIT ?"
        with self._lock, self._disk_errors():
            rows = self._select(query, max(after, self._taken), most)
        return [Record(number, data.decode()) for number, data in rows]

    def take(self, number: int) -> None:
        """All records up to this one are done with."""
        with self._lock, self._disk_errors():
            self._take(number)

    def tend(self) -> None:
        """Forces onto the disk what has waited for long enough; to be called every second or so."""
        with self._lock, self._disk_errors():
            if not self.waiting:
                self._unsynced_since = None  # all of it is with the receiver
            elif self._unsynced_since is not None and time.monotonic() - self._unsynced_since >= _SYNC_EVERY_S:
                self._sync()

    def close(self) -> None:
        """Leaves what is waiting on the disk."""
        with self._lock:
            self._connection.close()

    def _take(self, number: int) -> None:
        number = min(number, self._last)
        if number <= self._taken:
            return
        query = "SELECT COUNT(*) FROM records WHERE number > ? AND number <= ?"
        [(taken,)] = self._select(query, self._taken, number)
        self.waiting -= taken
        self._taken = number
        with suppress(sqlite3.OperationalError):  # a full disk: some records come twice
            self._connection.execute("DELETE FROM records WHERE number <= ?", (number,))

    def _give_up_oldest(self, most: int) -> None:
        """Leaves the newest ``most`` records."""
        too_many = self.waiting - most
        if too_many > 0:
            query = "SELECT number FROM records WHERE number > ? ORDER BY number LIMIT 1 OFFSET ?"
            [(newest,)] = self._select(query, self._taken, too_many - 1)
            self._take(newest)
            self.dropped += too_many

    def _append(self, texts: Sequence[str]) -> None:
        _insert(self._connection, self._last + 1, texts)
        self._last += len(texts)
        self.waiting += len(texts)

    def _select(self, query: str, *values: int) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def _sync(self) -> None:
        self._connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
        self._unsynced_since = None

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    """The database with whole records only.

    One that is damaged is set aside, and what can be read of it goes on in a new one.
    """
    try:
        return _connect(path)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            what = "expected a queue of its own, but another output or process uses it"
            raise InputError(f"{path.parent}: {what}") from error
        raise InputError(f"{path}: expected a file that can be written, but: {error}") from error
    except sqlite3.DatabaseError as error:
        aside = path.with_suffix(".broken")
        texts = _readable(path)
        path.replace(aside)
        path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
        _log.warning("%s: %s; %d records are saved from it, and it is kept as %s", path, error, len(texts), aside)
        connection = _connect(path)
        _insert(connection, 1, texts)
        return connection


def _connect(path: Path) -> sqlite3.Connection:
    """Opens the database, and leaves out records that a power cut spoilt."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.create_function("crc32", 1, _crc)
        for statement in _SETUP:
            connection.execute(statement).fetchall()
        [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        connection.execute("DELETE FROM records WHERE crc IS NOT crc32(text)")
    except UnicodeDecodeError as error:  # of SQLite's own words about what is damaged, which quote it
        connection.close()
        raise sqlite3.DatabaseError("damaged") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _insert(connection: sqlite3.Connection, first: int, texts: Sequence[str]) -> None:
    """Adds all of them, numbered from ``first`` on, or none."""
    rows = [(number, data := text.encode(), zlib.crc32(data)) for number, text in enumerate(texts, first)]
    connection.execute("BEGIN")
    try:
        connection.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _readable(path: Path) -> list[str]:
    """The records of a damaged database, up to the first place that cannot be read."""
    texts: list[str] = []
    with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.Error, UnicodeDecodeError):
        for data, crc in connection.execute("SELECT text, crc FROM records ORDER BY number"):
            if _crc(data) == crc:
                texts.append(data.decode())
    return texts


def _crc(data: object) -> int:
    return zlib.crc32(data) if isinstance(data, bytes) else -1
