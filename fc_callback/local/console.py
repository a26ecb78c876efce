"""The console page: what a person sees of this service in a browser, at `/console/`.

Every page works as plain HTML without script, but for the graph, live updates and what changes something. A change is a
POST with a JSON body from a page of this service. There is no login: only this machine is answered, as everywhere here.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from fc_callback.errors import FcCallbackError
from fc_callback.local.api_errors import ApiError, NoWaitingTask
from fc_callback.local.console_actions import ACTIONS
from fc_callback.local.console_gate import HEADERS, why_refused
from fc_callback.local.console_pages import PAGES
from fc_callback.local.console_rendering import FOLDER, as_json, execution_path, render
from fc_callback.local.request_body import json_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from fc_callback.local.components import Components

_ASSETS = {path.name: path for path in (FOLDER / "assets").iterdir()}
_ENTRANCE = "/console/"
_DATABASE = "The service cannot use its database: {}. Is its disk full? Free some space and try again."
_HALF_CHARACTER = (
    "The text has half of a character, like \\ud800 without the other half. UTF-8 cannot hold it; remove it."
)


def console_routes(components: Components) -> list[Route]:
    """Return the routes of the console."""
    pages = [Route(path, _page_endpoint(components, page)) for path, page in PAGES.items()]
    actions = [Route(path, _action_endpoint(components, action), methods=["POST"]) for path, action in ACTIONS.items()]
    entrance = Route(_ENTRANCE.rstrip("/"), _gated(_to_entrance))
    assets = Route("/console/assets/{name}", _gated(_asset))
    elsewhere = Route("/console/{rest:path}", _gated(_not_found), methods=["GET", "POST"])
    return [entrance, assets, *pages, *actions, elsewhere]


def wants_console(request: Request) -> bool:
    """Return whether a request for `/` comes from a browser, and not from a client of the HTTP API."""
    return (
        request.method == "GET"
        and "text/html" in request.headers.get("accept", "")
        and "action" not in {name.lower() for name in request.query_params}
        and "x-acs-action" not in request.headers
    )


def to_console() -> Response:
    """Return the answer that leads a browser to the console."""
    return RedirectResponse(_ENTRANCE, 303, HEADERS)


def _gated(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        refusal = why_refused(request)
        if refusal:
            return _error_page(403, refusal)
        response = await endpoint(request)
        response.headers.update(HEADERS)
        return response

    return checked


def _page_endpoint(
    components: Components, page: Callable[[Components, Request], Any]
) -> Callable[[Request], Awaitable[Response]]:
    def read(request: Request) -> Response:
        try:
            shown = page(components, request)
        except ApiError as error:
            return _error_page(404 if error.status == 404 else 400, error.message)  # noqa: PLR2004
        except (FcCallbackError, LookupError, ValueError) as error:
            return _error_page(400, str(error))
        except sqlite3.Error as error:
            return _error_page(503, _DATABASE.format(error))
        return shown if isinstance(shown, Response) else Response(shown, media_type="text/html")

    async def respond(request: Request) -> Response:
        return await asyncio.to_thread(read, request)  # the event loop answers other calls meanwhile

    return _gated(respond)


def _action_endpoint(
    components: Components, action: Callable[[Components, Mapping[str, str], dict[str, Any]], dict[str, Any]]
) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        try:
            content = await json_object(request)
            # What a change starts, may call functions, which need the event loop.
            result = await asyncio.to_thread(action, components, request.path_params, content)
        except ClientDisconnect:
            return Response()
        except ApiError as error:
            return _json({"error": error.message, "code": error.code}, error.status)
        except NoWaitingTask as error:
            shown = execution_path(request.path_params["flow"], request.path_params["name"])
            return _json({"error": str(error), "location": shown}, 409)  # the page shows how the task ended
        except UnicodeEncodeError:
            return _json({"error": _HALF_CHARACTER}, 400)
        except RecursionError:
            return _json({"error": "The JSON text is nested too deeply. Send a flatter one."}, 400)
        except sqlite3.Error as error:
            return _json({"error": _DATABASE.format(error)}, 503)
        except (FcCallbackError, LookupError, TypeError, ValueError) as error:
            return _json({"error": str(error)}, 400)
        return _json(result, 200)

    return _gated(respond)


def _json(content: Mapping[str, Any], status: int) -> Response:
    return Response(as_json(content), status, media_type="application/json")


async def _to_entrance(_request: Request) -> Response:
    return to_console()


async def _asset(request: Request) -> Response:
    path = _ASSETS.get(request.path_params["name"])
    if path is None:
        return _error_page(404, "There is no such file.")
    return FileResponse(path, headers={"cache-control": "no-cache"})


async def _not_found(request: Request) -> Response:
    return _error_page(404, f"There is no page {quote(request.url.path)}.")


def _error_page(status: int, message: str) -> Response:
    return Response(render("error.html", section="", message=message), status, HEADERS, media_type="text/html")
