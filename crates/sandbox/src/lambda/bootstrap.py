"""The runtime client for Python handlers, with the standard library only."""
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

TASK_ROOT = os.environ["LAMBDA_TASK_ROOT"]
API = "/2018-06-01/runtime/"


class Identity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    """The context object of a handler."""

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = Identity()
        self.client_context = None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))


class LogHandler(logging.Handler):
    """Writes records in the form of Lambda's Python runtimes: level, time, request, message."""

    request_id = ""

    def emit(self, record):
        try:
            sys.stdout.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)

    def format(self, record):
        record.aws_request_id = LogHandler.request_id
        return super().format(record)


class InitFailure(Exception):
    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind, self.message, self.trace = kind, message, list(trace)


def format_stack(entries):
    """A stack's lines with Lambda's code directory and without this file's frames."""
    entries = list(entries)
    while entries and (entries[0].filename == "<string>" or entries[0].filename.startswith("<frozen")):
        entries.pop(0)
    return [line.replace(TASK_ROOT, "/var/task") for line in traceback.format_list(entries)]


def document(kind, message, request_id, trace):
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def log_error(error):
    """Writes an error to the log."""
    lines = ["[ERROR] %s: %s" % (error["errorType"], error["errorMessage"])]
    if error["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        lines.extend(line for entry in error["stackTrace"] for line in entry.splitlines())
    sys.stdout.write("\n".join(lines) + "\n")


def find_handler(name):
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise InitFailure("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, error))
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise InitFailure("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, error))
    except SyntaxError as error:
        where = '  File "%s" Line %s\n    %s' % (error.filename, error.lineno, (error.text or "").strip())
        where = where.replace(TASK_ROOT, "/var/task")
        raise InitFailure("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module_name, error), [where])
    except Exception as error:
        raise InitFailure(type(error).__name__, str(error), format_stack(traceback.extract_tb(error.__traceback__)))
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = "Handler '%s' missing on module '%s'" % (function_name, module_name)
        raise InitFailure("Runtime.HandlerNotFound", message)


def encode_other(value):
    # Lambda's runtimes write decimals, which DynamoDB's clients return, as numbers.
    if type(value).__name__ == "Decimal":
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def run_handler(handler, body, context):
    """Runs the handler; returns the response's path and body."""
    request_id = context.aws_request_id
    try:
        answer = handler(json.loads(body), context)
    except Exception as error:
        trace = format_stack(traceback.extract_tb(error.__traceback__))
        failure = document(type(error).__name__, str(error), request_id, trace)
    else:
        try:
            return "response", json.dumps(answer, default=encode_other, ensure_ascii=False)
        except Exception as error:
            failure = document("Runtime.MarshalError", "Unable to marshal response: %s" % error, request_id, [])
    log_error(failure)
    return "error", json.dumps(failure)


def main():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    logs = LogHandler()
    form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    logs.setFormatter(formatter)
    logging.getLogger().addHandler(logs)
    sys.path[0] = TASK_ROOT
    sys.argv = [os.environ["_HANDLER"]]

    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(method, path, body=None):
        runtime.request(method, API + path, None if body is None else body.encode("utf-8"))
        answer = runtime.getresponse()
        return answer.headers, answer.read()

    try:
        handler = find_handler(os.environ["_HANDLER"])
    except InitFailure as failure:
        error = document(failure.kind, failure.message, "", failure.trace)
        log_error(error)
        sys.stdout.flush()
        call("POST", "init/error", json.dumps(error))
        sys.exit(1)

    while True:
        headers, body = call("GET", "invocation/next")
        context = Context(headers)
        LogHandler.request_id = context.aws_request_id
        os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"]
        kind, answer = run_handler(handler, body, context)
        sys.stdout.flush()
        sys.stderr.flush()
        call("POST", "invocation/%s/%s" % (context.aws_request_id, kind), answer)


try:
    main()
except (ConnectionError, http.client.HTTPException):
    # The sandbox has ended.
    sys.exit(1)
