from aiohttp import web


def init(argv):
    return web.Application()
