"""Rows of a SQL query."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from training.errors import SourceUnavailable
from training.sources import secret
from training.sources.described import Described

if TYPE_CHECKING:
    import pandas as pd


class SqlQuery(Described):
    """What a query gives.

    Attributes:
        url: Database as SQLAlchemy writes it, without a password.
        query: One SELECT. Order it: the order of the rows is a part of the data's fingerprint.
        password_from: Environment variable that holds the password.
    """

    SECRETS: ClassVar[str] = "password_from names the variable that does"

    kind: Literal["sql"]
    url: str
    query: str
    password_from: str | None = None

    @model_validator(mode="after")
    def _is_for_a_database(self) -> Self:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            password = make_url(self.url).password
        except ArgumentError:
            raise ValueError("url is no database URL such as postgresql+psycopg://user@host/database") from None
        if password:
            raise ValueError(f"url must hold no password; {self.SECRETS}")
        return self

    def read(self) -> pd.DataFrame:
        """Return the rows.

        Raises:
            SourceUnavailable: There is no driver, no such database, or the query fails.
        """
        import pandas as pd
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError

        password = secret.read(self.password_from, self.url) if self.password_from else None
        url = sqlalchemy.engine.make_url(self.url)
        try:
            engine = sqlalchemy.create_engine(url.set(password=password) if password else url)
        except (SQLAlchemyError, ImportError) as error:
            raise SourceUnavailable(self.url, f"no driver: {error}") from error
        try:
            with engine.connect() as connection:
                return pd.read_sql_query(sqlalchemy.text(self.query), connection)
        except (SQLAlchemyError, ValueError) as error:
            told = str(getattr(error, "orig", error)).strip()
            raise SourceUnavailable(self.url, told.replace(password, "***") if password else told) from error
        finally:
            engine.dispose()
