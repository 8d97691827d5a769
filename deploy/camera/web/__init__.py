"""The web page of a running pipeline, its JSON and its metrics. Needs aiohttp: ``pip install 'fusedet[web]'``.

    server = WebServer(pipeline)
    server.start()
    print(server.url)

``fusedet.deploy`` does not import this package, so a board without the page needs no aiohttp.
"""
