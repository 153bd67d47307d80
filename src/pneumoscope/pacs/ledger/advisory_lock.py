"""The lock by which one node holds a ledger in PostgreSQL; it ends with its connection."""

import logging

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

_TAKE = text("SELECT pg_try_advisory_lock(hashtextextended('pneumoscope node ' || current_schema(), 0))")
_LOG = logging.getLogger(__name__)


class AdvisoryLock:
    """A lock of a database that is held by a connection of its own.

    Parameters
    ----------
    engine : Engine
        Of the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Take the lock.

        Returns
        -------
        bool
            Whether it was free.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If the database cannot be reached.
        """
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            is_free = bool(connection.execute(_TAKE).scalar_one())
        except BaseException:
            connection.invalidate()
            raise
        if is_free:
            self._connection = connection
        else:
            connection.close()
        return is_free

    def is_held(self) -> bool:
        """Tell whether nobody else has the lock; take it again where its connection has ended.

        Returns
        -------
        bool
            False where another connection has it now. While the database cannot be reached, nobody can take it either.
        """
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return True
        except DBAPIError:
            _LOG.warning("the connection that holds the ledger for this node has ended; it is made again")
            self.give_back()
        try:
            return self.take()
        except DBAPIError:
            return True

    def give_back(self) -> None:
        """End the connection, and the lock with it."""
        if self._connection is not None:
            self._connection.invalidate()  # it must not go back to the pool with the lock
            self._connection.close()
            self._connection = None
