import asyncio
import tornado.web


async def main():
    tornado.web.Application([]).listen(8080)
    await asyncio.Event().wait()


asyncio.run(main())
