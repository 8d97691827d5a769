"""What goes in and out as JSON: answers, errors in one line, and bodies that are read with distrust."""

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from fusedet.common.errors import InputError
from fusedet.deploy.camera.web.framework import web

#: Bytes of the largest body that is read. 128 zones and lines with 64 corners each fit.
MAX_BODY = 256 * 1024
#: Whoever sends a body more slowly is not waited for.
_BODY_TIMEOUT_S = 10.0
_LONGEST_ERROR = 500
NO_STORE = {"Cache-Control": "no-store"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


def to_json(value: Any) -> str:
    """JSON in ASCII. What JSON does not know, NaN and infinity, becomes null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value))


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer that no browser keeps."""
    headers = {**NO_STORE, **(headers or {})}
    return web.Response(text=to_json(value), status=status, content_type="application/json", headers=headers)


def jpeg_answer(jpeg: bytes) -> web.Response:
    """An image that no browser keeps."""
    return web.Response(body=jpeg, content_type="image/jpeg", headers=NO_STORE)


def error_answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """``{"error": message}``."""
    return json_answer({"error": message[:_LONGEST_ERROR]}, status, headers)


async def read_body(request: web.Request) -> dict[str, Any]:
    """The object in a request's body.

    Raises:
        InputError: it is something else.
        web.HTTPException: too large, too slow, or sent as something else than JSON.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text=f"expected application/json, but got {request.content_type}")
    try:
        body = await asyncio.wait_for(request.read(), _BODY_TIMEOUT_S)
        value = json.loads(body, parse_constant=_refuse_constant)
    except asyncio.TimeoutError as error:
        raise web.HTTPRequestTimeout(text="the body did not come in time") from error
    except (ValueError, RecursionError) as error:  # also text that is not UTF-8, and numbers of thousands of digits
        raise InputError("the body is not JSON") from error
    if not isinstance(value, dict):
        raise InputError(f"the body must be a JSON object, but got {type(value).__name__}")
    return value


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every mistake is one line of JSON; what went wrong in here stands in the log, and nobody else learns of it."""
    try:
        return await handler(request)
    except InputError as error:
        return error_answer(400, str(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
        return error_answer(error.status, error.text or error.reason, kept)
    except asyncio.CancelledError:
        raise
    except Exception:
        _log.exception("the page could not answer %s %r", request.method, request.path)
        return error_answer(500, "something went wrong in the server; its log says what")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
