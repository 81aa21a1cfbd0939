"""The services for the function in chroot.sh: DNS, S3 with and without TLS, and the Lambda Runtime API.

Called by chroot.sh in its own network and process namespaces: chroot.py WORK IMAGES
"""

import fcntl
import json
import os
import shutil
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

WORK, IMAGES = sys.argv[1:]
ROOT = f"{WORK}/root"
# A user id without a name, like on Lambda.
USER = "993:990"
CHROOT = shutil.which("chroot")
MAGIC = {"jpg": b"\xff\xd8\xff", "png": b"\x89PNG", "gif": b"GIF89a", "webp": b"RIFF"}


def raise_loopback():
    """Activates the loopback interface of the new network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # up, running
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


RESOLVED = []


def serve_dns():
    """Resolves S3's names to this machine; other names do not exist."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        query, client = server.recvfrom(512)
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name = ".".join(labels).lower()
        (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
        question = query[12 : at + 5]
        known = name == "s3.test" or name.endswith("s3.eu-central-1.amazonaws.com")
        RESOLVED.append(name)
        answers = b""
        if known and kind == 1:
            answers = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.1")
        flags = 0x8180 if known else 0x8183  # success; no such name
        header = query[:2] + struct.pack(">HHHHH", flags, 1, 1 if answers else 0, 0, 0)
        server.sendto(header + question + answers, client)


class SilentHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))


STORED = {}


class S3(SilentHandler):
    """Serves sample images from the bucket `source`, and stores uploads."""

    def where(self):
        path = urllib.parse.unquote(self.path.partition("?")[0]).lstrip("/")
        bucket, dot, rest = self.headers["Host"].partition(".s3.")
        if dot:
            return bucket, path
        bucket, _, key = path.partition("/")
        return bucket, key

    def do_GET(self):
        bucket, key = self.where()
        assert bucket == "source", bucket
        with open(f"{IMAGES}/{key}", "rb") as file:
            self.answer(200, file.read())

    def do_PUT(self):
        STORED[self.where()] = self.body()
        self.answer(200)


RESULTS, EVENT_REQUESTS = Queue(), Queue()


class Runtime(SilentHandler):
    # A new queue for each process, since requests of an old one may still wait.
    events = Queue()

    def do_GET(self):
        EVENT_REQUESTS.put(time.perf_counter())
        event = Runtime.events.get()
        headers = [
            ("Lambda-Runtime-Aws-Request-Id", "request"),
            ("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 10_000)),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:000000000000:function:thumbs"),
        ]
        self.answer(200, json.dumps(event).encode(), headers)

    def do_POST(self):
        RESULTS.put((self.path.rpartition("/")[2], json.loads(self.body())))
        self.answer(202, b"{}")


def listen(handler, port, tls=None):
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a refused certificate ends a connection
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def start(**environment):
    """Starts the function; returns it and the seconds until its first request for an event."""
    variables = {
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_LAMBDA_FUNCTION_NAME": "thumbs",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "DEST_BUCKET": "thumbs",
        **environment,
    }
    command = [CHROOT, f"--userspec={USER}", ROOT, "/var/runtime/bootstrap"]
    Runtime.events = Queue()
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True, cwd="/")
    return process, EVENT_REQUESTS.get(timeout=10) - begin


def stop(process):
    process.kill()
    output = process.communicate()[0]
    return [json.loads(line) for line in output.splitlines()]


def peak_memory(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def invoke(key):
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "source"}, "object": {"key": key}}}
    Runtime.events.put({"Records": [record]})
    result = RESULTS.get(timeout=20)
    # It is ready once it requests the next event.
    EVENT_REQUESTS.get(timeout=20)
    return result


def thumbnails(title, **environment):
    STORED.clear()
    process, _ = start(**environment)
    for name in sorted(os.listdir(IMAGES)):
        kind, result = invoke(name)
        assert kind == "response", result
        assert STORED["thumbs", f"thumb-{name}"].startswith(MAGIC[name.rpartition(".")[2]]), name
    memory = peak_memory(process)
    log = stop(process)
    assert [line["level"] for line in log] == ["INFO"] * len(log), log
    first = log[0]
    print(f"ok: {title}: {len(log)} thumbnails, the first in {first['milliseconds']} ms, peak memory {memory} kB")


def refused(title, expected, **environment):
    process, _ = start(**environment)
    for _ in range(2):
        kind, result = invoke("bubbles.png")
        assert kind == "error" and expected in result["errorMessage"], (kind, result)
    assert process.poll() is None, "the process has ended"
    stop(process)
    print(f"ok: {title}: {result['errorType']}: {result['errorMessage']}")


def main():
    # /proc of the new process namespace; the mount ends with the namespace.
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    raise_loopback()
    threading.Thread(target=serve_dns, daemon=True).start()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{WORK}/server.pem", f"{WORK}/server.key")
    listen(S3, 80)
    listen(S3, 443, tls)
    listen(Runtime, 9001)

    size = os.path.getsize(f"{ROOT}/var/runtime/bootstrap")
    assert size < 15_000_000, size
    print(f"ok: the binary has {size} bytes")
    thumbnails("S3 by a name, without TLS", AWS_ENDPOINT_URL="http://s3.test")
    thumbnails("S3 at its own addresses, with TLS", AWS_CA_BUNDLE="/tmp/ca.pem")
    assert "source.s3.eu-central-1.amazonaws.com" in RESOLVED and "thumbs.s3.eu-central-1.amazonaws.com" in RESOLVED
    refused("an unknown authority is not trusted", "UnknownIssuer")
    refused("a name that does not exist", "could not be reached", AWS_ENDPOINT_URL="http://s3.nowhere")

    times = []
    for _ in range(21):
        process, seconds = start(AWS_ENDPOINT_URL="http://s3.test")
        times.append(seconds * 1000)
        stop(process)
    print(f"ok: from start to the first request for an event: {statistics.median(times):.1f} ms (median of {len(times)}, including chroot's start)")


main()
