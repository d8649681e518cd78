import time


def application(env, start_response):
    if env["PATH_INFO"] == "/slow":
        time.sleep(1000)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hi"]
