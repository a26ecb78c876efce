"""Log Service (SLS) triggers. Source: FC documentation, "Formats of event for different triggers"."""

from typing import Annotated

from pydantic import Field

from fc_callback.events.base import Absent, Event, Part, Properties, Seconds, dedup_key


class SlsSource(Part):
    """The logs that the function must read: from `begin_cursor`, up to but not including `end_cursor`."""

    endpoint: str
    project_name: str
    logstore_name: str
    shard_id: int
    begin_cursor: str
    end_cursor: str


class SlsEvent(Event):
    """New logs in a logstore. The logs are not in the event: the function pulls them from `source.endpoint`."""

    source: SlsSource
    parameter: Properties = Field(default_factory=dict)
    job_name: str = ""
    task_id: str = ""
    cursor_time: Annotated[Seconds | None, Absent] = None

    @property
    def dedup_key(self) -> str:
        """The job, the shard and the cursor at which the logs begin."""
        source = self.source
        return dedup_key(
            "sls", source.project_name, source.logstore_name, self.job_name, source.shard_id, source.begin_cursor
        )
