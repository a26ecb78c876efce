"""Events of OSS and CDN. Source: FC documentation, "Formats of event for different triggers"."""

from typing import Annotated, Literal

from pydantic import Field

from fc_callback.events.base import Absent, Event, Part, Properties, Seconds, Time, dedup_key


class OssBucket(Part):
    """A bucket."""

    name: str
    arn: str = ""
    owner_identity: str = ""
    virtual_bucket: str = ""


class OssObject(Part):
    """An object. `delta_size` is the number of bytes by which it grew; for a new object, its size."""

    key: str
    size: int | None = None
    delta_size: int | None = None
    e_tag: str = ""
    object_meta: Properties = Field(default_factory=dict)


class OssChange(Part):
    """The bucket and the object of an OSS event."""

    bucket: OssBucket
    object: OssObject
    oss_schema_version: str = ""
    rule_id: str = ""


class OssRecord(Part):
    """One operation on one object. `event_name` is, for example, `ObjectCreated:PutObject`."""

    event_name: str
    event_source: Literal["acs:oss"]
    oss: OssChange
    event_time: Annotated[Time | None, Absent] = None
    event_version: str = ""
    region: str = ""
    request_parameters: Properties = Field(default_factory=dict)
    response_elements: Properties = Field(default_factory=dict)
    user_identity: Properties = Field(default_factory=dict)

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.oss.bucket.name

    @property
    def key(self) -> str:
        """The object's key."""
        return self.oss.object.key

    @property
    def dedup_key(self) -> str:
        """Bucket, key, ETag, the operation, and the id of the request that did it."""
        request_id = self.response_elements.get("requestId")
        return dedup_key("oss", self.bucket, self.key, self.oss.object.e_tag, self.event_name, request_id)


class OssEvent(Event):
    """The event of an OSS trigger: operations in a bucket."""

    events: list[OssRecord]

    @property
    def dedup_key(self) -> str | None:
        """The key of a single record. None for several records: each has its own key."""
        return self.events[0].dedup_key if len(self.events) == 1 else None


class CdnParameter(Part):
    """The details of a CDN event. The name of the event decides which fields are set.

    A log file has start and end times, `file_size` in bytes and `file_path`. Refreshed, pushed and blocked objects have paths
    and times. A domain has a `status`.
    """

    domain: str = ""
    start_time: Annotated[Seconds | None, Absent] = None
    end_time: Annotated[Seconds | None, Absent] = None
    file_size: int | None = None
    file_path: str | None = None
    object_path: list[str] | None = None
    object_type: str | None = None
    create_time: Annotated[Seconds | None, Absent] = None
    complete_time: Annotated[Seconds | None, Absent] = None
    task_id: str | None = None
    status: str | None = None


class CdnRecord(Part):
    """One operation in CDN. `event_name` is, for example, `LogFileCreated`."""

    event_name: str
    event_source: Literal["cdn"]
    event_parameter: CdnParameter
    event_time: Annotated[Time | None, Absent] = None
    event_version: str = ""
    region: str = ""
    trace_id: str = ""
    resource: Properties = Field(default_factory=dict)
    user_identity: Properties = Field(default_factory=dict)


class CdnEvent(Event):
    """The event of a CDN trigger."""

    events: list[CdnRecord]
