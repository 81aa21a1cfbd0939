"""A function for the tests: does what its event says, over the Runtime API."""
import http.client
import json
import os
import subprocess
import sys
import time

host = os.environ["AWS_LAMBDA_RUNTIME_API"]
base = "/2018-06-01/runtime/"
runtime = http.client.HTTPConnection(host)
served = 0


def call(method, path, body=None):
    runtime.request(method, base + path, body)
    answer = runtime.getresponse()
    return answer.headers, answer.read()


if os.environ.get("BREAK_INIT") == "error":
    call("POST", "init/error", json.dumps({"errorType": "Init.Bad", "errorMessage": "cannot begin"}))
    sys.exit(1)
if os.environ.get("BREAK_INIT") == "exit":
    sys.exit(3)
print("initialised", flush=True)

while True:
    headers, body = call("GET", "invocation/next")
    request = headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(body)
    what = event.get("do") if isinstance(event, dict) else None
    served += 1
    answer = event
    if what == "env":
        answer = dict(os.environ)
    elif what == "where":
        answer = {"cwd": os.getcwd(), "argv": sys.argv}
    elif what == "count":
        answer = {"pid": os.getpid(), "served": served, "deadline": int(headers["Lambda-Runtime-Deadline-Ms"]),
                  "arn": headers["Lambda-Runtime-Invoked-Function-Arn"], "trace": headers["Lambda-Runtime-Trace-Id"]}
    elif what == "sleep":
        open(event["mark"], "a").write(request + "\n") if "mark" in event else None
        time.sleep(event["seconds"])
    elif what == "print":
        for line in event["lines"]:
            print(line)
        sys.stdout.write("no line break")
        sys.stdout.flush()
        sys.stderr.write("\nfrom stderr\n")
    elif what == "spawn":
        answer = {"pid": os.getpid(), "child": subprocess.Popen(["sleep", "600"]).pid}
    elif what == "detach":
        detached = [subprocess.Popen(["sleep", "600"], start_new_session=True),
                    subprocess.Popen(["sleep", "600"], start_new_session=True, env={"PATH": os.environ["PATH"]})]
        answer = [process.pid for process in detached]
    elif what == "hoard":
        hoard = [bytearray(4 << 20) for _ in range(event["megabytes"] // 4)]
        answer = len(hoard)
    elif what == "hoard in a child":
        subprocess.run([sys.executable, "-c", "b = [bytearray(4 << 20) for _ in range(%d)]; import time; time.sleep(60)"
                        % (event["megabytes"] // 4)])
    elif what == "exit":
        sys.exit(event["code"])
    elif what == "fail":
        call("POST", "invocation/%s/error" % request, json.dumps({"errorType": "Oops", "errorMessage": "on purpose"}))
        continue
    elif what == "large":
        answer = "x" * event["bytes"]
    call("POST", "invocation/%s/response" % request, json.dumps(answer))
