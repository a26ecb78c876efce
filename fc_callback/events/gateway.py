"""Requests through API Gateway to an event function. `HttpResponse` makes the answer.

Source: FC documentation, "Configure an API Gateway trigger".
"""

from pydantic import Field

from fc_callback.events.base import Texts
from fc_callback.events.http import Request


class ApiGatewayEvent(Request):
    """A request that API Gateway passes on; its `isBase64Encoded` may be a text, which is read as what it says."""

    path: str
    http_method: str
    path_parameters: Texts = Field(default_factory=dict)

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return self.http_method
