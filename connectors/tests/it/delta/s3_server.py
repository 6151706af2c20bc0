"""An S3 server for tests, with its objects in memory: `s3_server.py BUCKET...` prints its port, and
obeys lines of its input: `down` and `up` stop and start listening, `careless` makes it ignore
conditions of puts. It ends with its input."""

import sys
import threading
import urllib.request

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


class Store:
    """The server looks before it puts and not at once, so puts take turns."""

    def __init__(self):
        self.app = DomainDispatcherApplication(create_backend_app)
        self.turn = threading.Lock()
        self.careless = False

    def __call__(self, environ, start):
        if environ["REQUEST_METHOD"] != "PUT":
            return self.app(environ, start)
        if self.careless:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        with self.turn:
            return self.app(environ, start)


def listen(store, port):
    server = make_server("127.0.0.1", port, store, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def main():
    store = Store()
    server = listen(store, 0)
    port = server.server_port
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for bucket in sys.argv[1:]:
        url = f"http://127.0.0.1:{port}/{bucket}"
        opener.open(urllib.request.Request(url, method="PUT")).close()
    print(port, flush=True)
    for line in sys.stdin:
        command = line.strip()
        if command == "down":
            server.shutdown()
            server.server_close()
        elif command == "up":
            server = listen(store, port)
        elif command == "careless":
            store.careless = True
        print("done", flush=True)


main()
