"""A test coordinator written against the contract alone.

It shares nothing with the adapter but the .proto files (as the descriptor set
that `buf build` makes of them): records are made by the CloudEvents SDK, by its
present API and by that of its 1.x, data by Python's json and protobuf, and
librdkafka sends them. What Kafka has acknowledged goes to a ledger, one JSON
object a line, in the form that `tcda-lab ledger check` reads, with the content
of each event besides.
"""

import argparse
import hashlib
import itertools
import json
import struct
import sys
import uuid
from datetime import datetime, timedelta, timezone

from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import kafka as kafka_v1
from cloudevents.v1.http import CloudEvent as CloudEventV1
from confluent_kafka import Producer
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

SOURCE = "/coordinator/python-1"
PREFIX = "test-coordination."
PACKAGE = "testcoordination.v1."
ENCODINGS = {"json": "application/json", "protobuf": "application/protobuf"}


class Contract:
    """The messages of the contract, from a descriptor set."""

    def __init__(self, descriptors):
        files = descriptor_pb2.FileDescriptorSet()
        with open(descriptors, "rb") as file:
            files.ParseFromString(file.read())
        self.pool = descriptor_pool.DescriptorPool()
        for file in files.file:  # in the order of their imports
            self.pool.Add(file)

    def message(self, kind, data):
        """The message of an event type such as execution.phase_started."""
        name = PACKAGE + "".join(word.capitalize() for word in kind.replace(".", "_").split("_"))
        described = self.pool.FindMessageTypeByName(name)
        return json_format.ParseDict(data, message_factory.GetMessageClass(described)())


class Event:
    """What is said, in no form yet."""

    def __init__(self, kind, subject, time, data, sequence, runid=None):
        self.kind = kind
        self.data = data
        self.attributes = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": SOURCE,
            "type": f"{PREFIX}{kind}.v1",
            "subject": subject,
            "time": time.isoformat().replace("+00:00", "Z"),
            "sequence": str(sequence),
            "correlationid": "python",
        }
        if runid:
            self.attributes["runid"] = runid

    def key(self):
        """The identity of the event, as the contract defines it."""
        digest = hashlib.sha256()
        for name in ("source", "id", "subject"):
            part = self.attributes[name].encode()
            digest.update(struct.pack(">Q", len(part)) + part)
        return digest.hexdigest()


class Writer:
    """Turns events into Kafka messages: all combinations of SDK API, mode and encoding."""

    FORMS = list(itertools.product(("core", "v1"), ("binary", "structured"), ENCODINGS))

    def __init__(self, contract):
        self.contract = contract

    def write(self, event, form):
        api, mode, encoding = form
        attributes = event.attributes | {"datacontenttype": ENCODINGS[encoding]}
        message = self.contract.message(event.kind, event.data)
        if encoding == "protobuf":
            data = message.SerializeToString()
        elif api == "v1":
            data = json_format.MessageToDict(message)  # lowerCamelCase
        else:
            data = event.data  # snake_case
        if api == "v1":
            convert = kafka_v1.to_binary if mode == "binary" else kafka_v1.to_structured
            extra = {"data_marshaller": lambda raw: raw} if encoding == "protobuf" else {}
            return convert(CloudEventV1(attributes, data), key_mapper=lambda e: e["subject"], **extra)
        attributes["time"] = datetime.fromisoformat(attributes["time"])
        convert = kafka.to_binary if mode == "binary" else kafka.to_structured
        return convert(CloudEvent(attributes, data), JSONFormat(), key_mapper=lambda e: e.get_subject())


class Ledger:
    """What was acknowledged."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")
        self.failures = []

    def entry(self, line):
        """A delivery callback that notes the line."""

        def delivered(error, message):
            if error is not None:
                self.failures.append(str(error))
                return
            at = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
            self.file.write(json.dumps(line | at) + "\n")

        return delivered


class Coordinator:
    """Says what happens, each thing in the next of the forms."""

    def __init__(self, arguments):
        self.topics = {"execution": arguments.executions}
        self.scenarios = arguments.scenarios
        self.writer = Writer(Contract(arguments.descriptors))
        self.ledger = Ledger(arguments.ledger)
        self.forms = itertools.cycle(Writer.FORMS)
        self.clock = datetime.now(timezone.utc) - timedelta(hours=1)
        self.sequences = {}
        self.producer = Producer(
            {
                "bootstrap.servers": arguments.brokers,
                "client.id": "python-coordinator",
                "partitioner": "murmur2_random",  # as Java's
                "enable.idempotence": True,
                "compression.type": "zstd",
                "linger.ms": 5,
            }
        )

    def produce(self, topic, message, line):
        self.producer.produce(
            topic,
            key=message.key,
            value=message.value,
            headers=list(message.headers.items()),
            on_delivery=self.ledger.entry(line),
        )
        self.producer.poll(0)

    def topic_of(self, kind):
        return self.topics.get(kind.split(".")[0], self.scenarios)

    def send(self, event, form, verdict):
        line = {
            "kind": verdict,
            "source": event.attributes["source"],
            "id": event.attributes["id"],
            "subject": event.attributes["subject"],
            "type": event.attributes["type"],
            "event_key": event.key(),
            "form": "-".join(form),
            "time": event.attributes["time"],
            "sequence": int(event.attributes["sequence"]),
            "runid": event.attributes.get("runid", ""),
            "correlationid": event.attributes["correlationid"],
            "data": event.data,
        }
        self.produce(self.topic_of(event.kind), self.writer.write(event, form), line)

    def say(self, kind, subject, data, runid=None):
        """Sends a new event."""
        self.clock += timedelta(milliseconds=250, microseconds=1)
        of = (subject, runid)
        self.sequences[of] = self.sequences.get(of, 0) + 1
        event = Event(kind, subject, self.clock, data, self.sequences[of], runid)
        self.send(event, next(self.forms), "event")
        return event

    def repeat(self, event):
        """Sends an event again, in every form."""
        for form in Writer.FORMS:
            self.send(event, form, "duplicate")

    def spoil(self, event, reason, change):
        """Sends what can never be accepted."""
        message = self.writer.write(event, ("core", "binary", "json"))
        spoilt = kafka.KafkaMessage(*change(dict(message.headers), message.key, message.value))
        self.produce(self.topic_of(event.kind), spoilt, {"kind": "malformed", "reason": reason})

    def definitions(self):
        """Templates, scenarios, dependencies and schedules."""
        phases = "spec:\n  phases:\n    - name: injection\n      actions:\n        - {service: exchange, action: stop}\n"
        head = "apiVersion: chaos.trading/v1\nkind: %s\nmetadata: {name: %s}\n"
        self.say("template.published", "py-template", {
            "template_id": "py-template", "author": "Zoë",
            "definition": head % ("Template", "py-template") + "parameters:\n  - {name: duration, type: duration, default: 10m}\n" + phases,
        })
        for name in ("py-outage", "py-latency"):
            self.say("scenario.published", name, {
                "scenario_id": name, "definition": head % ("Scenario", name) + phases, "scenario_type": "combined",
                "services_under_test": ["exchange", "risk-monitor"], "tags": ["python"],
            })
        self.say("scenario.published", "py-opaque", {"scenario_id": "py-opaque", "definition": json.dumps({"name": "free form", "steps": []})})
        self.say("scenario.status_changed", "py-outage", {"scenario_id": "py-outage", "status": "active"})
        self.say("scenario.dependencies_declared", "py-latency", {
            "scenario_id": "py-latency", "dependencies": [{"depends_on": "py-outage", "kind": "requires_success", "max_age": "86400s"}],
        })
        self.say("schedule.set", "py-nightly", {
            "schedule_id": "py-nightly", "scenario_id": "py-outage", "kind": "cron", "cron": "30 2 * * 1-5", "time_zone": "Europe/Zurich",
            "enabled": True, "parameters": {"factor": 1.5, "deep": {"list": [1, None, "x"]}},
        })
        self.say("schedule.set", "py-once", {"schedule_id": "py-once", "scenario_id": "py-outage", "kind": "once", "run_at": "2030-01-01T00:00:00Z"})
        self.say("schedule.removed", "py-once", {"schedule_id": "py-once"})

    def run(self, execution, outcome, validation="passed", heartbeats=40):
        """One run, with every event type that a run has."""
        runid = str(uuid.uuid4())

        def say(what, /, **data):
            return self.say(f"execution.{what}", execution, {"execution_id": execution} | data, runid)

        say("requested", scenario_id="py-outage", environment="staging", trigger={"type": "api", "actor": "zoë"}, labels={"team": "risk"},
            parameters={"duration": "10m"})
        started = say("started", scenario_id="py-outage", environment="staging", coordinator_id="python-1", configuration_snapshot={"retries": 3})
        say("phase_started", phase="injection", ordinal=0)
        say("step_started", step_id="stop-exchange", kind="action", phase="injection", service="exchange", action="stop")
        say("fault_injected", fault_id="fault-1", fault_type="service_restart", target_service="exchange", parameters={"signal": 9}, phase="injection")
        for n in range(heartbeats):
            beat = say("heartbeat", progress=n / heartbeats, message=f"beat {n}: ∆ = {n}", current_phase="injection", system_state={"orders": n})
            if n % 10 == 3:
                self.repeat(beat)
        say("paused", reason="market closed")
        say("resumed", reason="market open")
        say("step_finished", step_id="stop-exchange", kind="action", phase="injection", status="passed", duration="1.500s")
        say("fault_cleared", fault_id="fault-1")
        say("fault_recovered", fault_id="fault-1", recovery_time="12.250s")
        say("validation_recorded", validation_id="alert", assertion_type="alert_fired", status=validation, phase="injection", threshold=0.1,
            expected="within 4h", actual="3h59m", within="14400s", evidence={"series": [1, 2.5, None]})
        say("snapshot_captured", snapshot_id="after", kind="post_injection", service="exchange", state={"books": {"BTC": 17}}, metrics={"p99": 0.25})
        say("log_appended", lines=[{"message": f"line {n}", "level": "info", "service": "exchange"} for n in range(25)])
        say("phase_finished", phase="injection", status="passed")
        finished = say("finished", outcome=outcome, exit_code=0, summary={"verdict": outcome})
        self.repeat(started)
        return finished

    def malformed(self, event):
        """Records that the adapter must keep apart, for the reason named."""
        self.spoil(event, "json", lambda headers, key, value: (headers, key, value[:-2]))
        self.spoil(event, "encoding", lambda headers, key, value: (headers | {"content-type": b"application/protobuf"}, key, value))
        self.spoil(event, "unsupported_type", lambda headers, key, value: (headers | {"ce_type": b"test-coordination.execution.moved.v1"}, key, value))
        self.spoil(event, "empty", lambda headers, key, value: (headers, key, b""))
        self.spoil(event, "id_conflict", lambda headers, key, value: (headers | {"ce_sequence": b"9007199254740991"}, key, value))

    def play(self):
        self.definitions()
        self.run("py-exec-001", "passed")
        self.run("py-exec-002", "passed", validation="failed")
        self.run("py-exec-reused", "cancelled", heartbeats=5)
        self.malformed(self.run("py-exec-reused", "passed", heartbeats=5))
        self.producer.flush(60)
        if self.ledger.failures or len(self.producer):
            sys.exit(f"{len(self.producer)} records not acknowledged; refused: {self.ledger.failures[:5]}")
        self.ledger.file.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("brokers", "executions", "scenarios", "descriptors", "ledger"):
        parser.add_argument("--" + option, required=True)
    Coordinator(parser.parse_args()).play()
