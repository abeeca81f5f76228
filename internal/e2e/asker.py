"""A coordinator that asks the adapter's API, in plain JSON over HTTP.

It publishes a scenario, checks that it may run, asks for a run, is told of it on
the topic of commands, plays it on Kafka while it watches, reads the timeline,
asks for a second run, cancels it, and ends it when it is told to. Nothing but
the standard library is needed for the API; librdkafka sends and reads.
"""

import argparse
import http.client
import json
import struct
import threading
import time
import uuid
from datetime import datetime, timezone

from confluent_kafka import Consumer, Producer

SOURCE = "/coordinator/python-2"
PREFIX = "test-coordination."
DEFINITION = """apiVersion: chaos.trading/v1
kind: Scenario
metadata: {name: slow exchange}
spec:
  phases:
    - name: injection
      actions: [{service: exchange, action: delay, parameters: {latency_ms: 250}}]
"""


class Refused(Exception):
    """What the API answered instead."""

    def __init__(self, answer):
        super().__init__(f"{answer.get('code')}: {answer.get('message')}")
        self.code = answer.get("code")


class API:
    """The API of one adapter."""

    def __init__(self, address, token=None):
        self.address = address
        self.headers = {"Content-Type": "application/json", "Connect-Protocol-Version": "1"}
        if token:
            self.headers["Authorization"] = "Bearer " + token

    def call(self, procedure, **request):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request("POST", "/testcoordination.v1." + procedure, json.dumps(request), self.headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status != 200:
                raise Refused(body)
            return body
        finally:
            connection.close()

    def write(self, procedure, **request):
        """A write, and its repeat: both have the same answer."""
        request["requestId"] = "py-" + str(uuid.uuid4())
        first = self.call(procedure, **request)
        assert self.call(procedure, **request) == first, "a repeat is answered otherwise"
        return first

    def stream(self, procedure, **request):
        """The messages of a server stream, each in an envelope of flags and length."""
        connection = http.client.HTTPConnection(self.address, timeout=120)
        try:
            body = json.dumps(request).encode()
            headers = self.headers | {"Content-Type": "application/connect+json"}
            connection.request("POST", "/testcoordination.v1." + procedure, struct.pack(">BI", 0, len(body)) + body, headers)
            answer = connection.getresponse()
            while True:
                flags, length = struct.unpack(">BI", answer.read(5))
                message = json.loads(answer.read(length))
                if flags & 2:
                    if "error" in message:
                        raise Refused(message["error"])
                    return
                yield message
        finally:
            connection.close()


class Coordinator:
    """Says on Kafka what becomes of a run, under the runid that it was told."""

    def __init__(self, brokers, topic):
        self.producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True})
        self.topic = topic

    def say(self, command, sequence, kind, **data):
        execution = command["subject"]
        attributes = {
            "specversion": "1.0", "type": PREFIX + kind + ".v1", "source": SOURCE, "id": str(uuid.uuid4()), "subject": execution,
            "time": datetime.now(timezone.utc).isoformat(), "sequence": str(sequence), "runid": command["runid"],
        }
        headers = [("ce_" + name, value.encode()) for name, value in attributes.items()] + [("content-type", b"application/json")]
        self.producer.produce(self.topic, json.dumps(data | {"execution_id": execution}).encode(), execution.encode(), headers=headers)
        assert self.producer.flush(30) == 0, "Kafka has not acknowledged"


class Commands:
    """What the adapter tells coordinators to do."""

    def __init__(self, brokers, topic):
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": "py-" + str(uuid.uuid4()), "auto.offset.reset": "earliest"})
        self.consumer.subscribe([topic])

    def next(self, kind):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            record = self.consumer.poll(1)
            if record is None or record.error():
                continue
            attributes = {name.removeprefix("ce_"): value.decode() for name, value in record.headers() if name.startswith("ce_")}
            attributes["data"] = json.loads(record.value())
            assert attributes["type"] == PREFIX + kind + ".v1", attributes
            return attributes
        raise TimeoutError("no " + kind)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("api", "brokers", "executions", "commands"):
        parser.add_argument("--" + name, required=True)
    arguments = parser.parse_args()
    api = API(arguments.api)
    coordinator = Coordinator(arguments.brokers, arguments.executions)
    commands = Commands(arguments.brokers, arguments.commands)

    published = api.write("ScenarioService/PublishScenario", scenario={"scenarioId": "py-slow", "definition": DEFINITION, "author": "py"})
    assert published["version"]["number"] == 1 and published["newVersion"], published
    ready = api.call("ScenarioService/CheckReadiness", scenarioId="py-slow", environment="lab")
    assert ready["ready"], ready

    asked = api.write("ExecutionService/RequestExecution", execution={"executionId": "py-asked", "scenarioId": "py-slow", "environment": "lab"})
    command = commands.next("execution.requested")
    assert command["runid"] == asked["execution"]["runId"] and command["data"]["scenario_version"] == published["version"]["hash"], command
    try:
        api.call("ExecutionService/RequestExecution", requestId="py-twice", execution={"executionId": "py-asked", "scenarioId": "py-slow"})
        raise AssertionError("asked for twice at once, and accepted")
    except Refused as refused:
        assert refused.code == "failed_precondition", refused

    seen = []
    watcher = threading.Thread(target=lambda: seen.extend(
        m["state"] for m in api.stream("ExecutionService/WatchExecutions", executionIds=["py-asked"], interval="0.05s") if "state" in m))
    watcher.start()
    coordinator.say(command, 1, "execution.started", coordinator_id="python-2")
    coordinator.say(command, 2, "execution.phase_started", phase="injection")
    coordinator.say(command, 3, "execution.heartbeat", progress=0.5)
    coordinator.say(command, 4, "execution.finished", outcome="passed")
    watcher.join(60)
    assert not watcher.is_alive() and seen and seen[-1]["status"] == "passed", seen
    versions = [int(state["version"]) for state in seen]
    assert versions == sorted(versions), versions

    timeline = api.call("ExecutionService/GetTimeline", executionId="py-asked")["events"]
    kinds = [event["type"].removeprefix(PREFIX + "execution.").removesuffix(".v1") for event in timeline]
    assert kinds == ["requested", "started", "phase_started", "heartbeat", "finished"], kinds

    api.write("ExecutionService/RequestExecution", execution={"executionId": "py-asked", "scenarioId": "py-slow"})
    command = commands.next("execution.requested")
    coordinator.say(command, 1, "execution.started")
    while api.call("ExecutionService/GetExecution", executionId="py-asked")["execution"]["status"] != "running":
        time.sleep(0.05)
    cancelled = api.write("ExecutionService/CancelExecution", executionId="py-asked", reason="enough")
    assert cancelled["execution"]["run"] == 2 and cancelled["execution"]["cancelRequestedAt"], cancelled
    cancel = commands.next("execution.cancel_requested")
    assert cancel["runid"] == command["runid"] and cancel["data"]["reason"] == "enough", cancel
    coordinator.say(command, 2, "execution.finished", outcome="cancelled")
    last = [m["state"] for m in api.stream("ExecutionService/WatchExecutions", executionIds=["py-asked"]) if "state" in m][-1]
    assert last["status"] == "cancelled" and last["run"] == 2, last
    print("done")


if __name__ == "__main__":
    main()
