"""Rows of a SQL query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from training.errors import SourceUnavailable
from training.sources import secret

if TYPE_CHECKING:
    import pandas as pd


class SqlQuery(BaseModel):
    """What a query gives.

    Attributes:
        url: Database as SQLAlchemy writes it, without a password.
        query: One SELECT. Order it: the order of the rows is a part of the data's fingerprint.
        password_from: Environment variable that holds the password.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["sql"]
    url: str
    query: str
    password_from: str | None = None

    @model_validator(mode="after")
    def _holds_no_password(self) -> Self:
        # Of the whole and not of the field, because the error of a field shows its value.
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            password = make_url(self.url).password
        except ArgumentError:
            raise ValueError("url is no database URL such as postgresql+psycopg://user@host/database") from None
        if password:
            raise ValueError("url must hold no password; name the variable that holds it in password_from")
        return self

    def read(self) -> pd.DataFrame:
        """Return the rows.

        Raises:
            SourceUnavailable: There is no driver, no such database, or the query fails.
        """
        import pandas as pd
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError

        url = sqlalchemy.engine.make_url(self.url)
        if self.password_from:
            url = url.set(password=secret.read(self.password_from, self.url))
        try:
            engine = sqlalchemy.create_engine(url)
        except (SQLAlchemyError, ImportError) as error:
            raise SourceUnavailable(self.url, f"no driver: {error}") from error
        try:
            with engine.connect() as connection:
                return pd.read_sql_query(sqlalchemy.text(self.query), connection)
        except (SQLAlchemyError, ValueError) as error:
            raise SourceUnavailable(self.url, str(getattr(error, "orig", error)).strip()) from error
        finally:
            engine.dispose()
