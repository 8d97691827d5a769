"""aiohttp, or one clear line about how to install it. Everything in this package imports it from here."""

from fusedet.common.errors import InputError

try:
    from aiohttp import WSMsgType, web
except ImportError as error:
    raise InputError(f"the web page needs aiohttp, which cannot be imported ({error}): install fusedet[web]") from error

__all__ = ["WSMsgType", "web"]
