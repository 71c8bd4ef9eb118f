"""The layout: by how many partitions events are published, and whether they may be published at this moment.

It is read by the statement that permits a publish: the one that stores a row which may go directly, and the one with
which a relay claims rows. So a publish has been permitted either before a change, and then its row is in the outbox for
all to see, or after it. What a process believes on its own (Kafka's client learns the number of partitions at some time
or other) decides nothing.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from producer.domain.record import TIMESTAMP, Record


class Layout(Record):
    """The one row. partitions: 0 until the topic is grown for the first time: as many as Kafka's clients know.

    relayed_until: until then only the relay publishes what is stored. stopped_until: until then nobody publishes what
    was not on its way before. run: the command that has set them.
    """

    __tablename__ = "layout"

    is_only: Mapped[bool] = mapped_column(primary_key=True, server_default=sa.true())
    partitions: Mapped[int] = mapped_column(server_default="0")
    run: Mapped[UUID | None]
    relayed_until: Mapped[datetime] = mapped_column(TIMESTAMP, server_default=sa.text("'-infinity'"))
    stopped_until: Mapped[datetime] = mapped_column(TIMESTAMP, server_default=sa.text("'-infinity'"))


class NoLayout(SQLAlchemyError):
    """Nobody knows where events go."""

    def __str__(self) -> str:
        return "The table layout has lost its row. `./start_project.sh stop`, then `start`, puts it back."


# Both times end by themselves. One that is dated far ahead is over as well: the clock has been set back since.
_IS_NOW = "BETWEEN statement_timestamp() AND statement_timestamp() + interval '5 minutes'"

# While this holds, only the relay publishes what is stored.
IS_RELAYED = f"EXISTS (SELECT FROM layout WHERE relayed_until {_IS_NOW})"
# While this holds, nobody publishes what was not on its way before.
IS_STOPPED = f"EXISTS (SELECT FROM layout WHERE stopped_until {_IS_NOW})"
# Without this row nobody publishes.
EXISTS = "EXISTS (SELECT FROM layout)"
# By how many partitions an event may go directly (0: as many as Kafka's client knows), or NULL: it may not.
DIRECT_PARTITIONS = f"(SELECT partitions FROM layout WHERE NOT relayed_until {_IS_NOW})"
