"""Requests that API Gateway passes to an event function. `HttpResponse` builds the response.

Source: FC documentation, "Configure an API Gateway trigger".
"""

from pydantic import Field

from fc_callback.events.base import Texts
from fc_callback.events.http import Request


class ApiGatewayEvent(Request):
    """A request through API Gateway. Its `isBase64Encoded` may be a boolean or the text of one."""

    path: str
    http_method: str
    path_parameters: Texts = Field(default_factory=dict)

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return self.http_method
