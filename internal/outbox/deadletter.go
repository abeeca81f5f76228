package outbox

import (
	"encoding/hex"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// The headers of Kafka Connect, which existing tools read. Source:
// org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter. There is no
// stack trace: a record is refused by a rule, not by an exception.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerConnector = "__connect.errors.connector.name"
	headerTask      = "__connect.errors.task.id"
	headerStage     = "__connect.errors.stage"
	headerClass     = "__connect.errors.class.name"
	headerException = "__connect.errors.exception.class.name"
	headerMessage   = "__connect.errors.exception.message"
)

// Our own. Length and sum are there only where not the whole record was kept.
const (
	headerReason = "tcda-reason"
	headerLength = "tcda-value-length"
	headerSHA256 = "tcda-value-sha256"
)

// deadLetterHeaders are what a dead letter has beside the headers of its record.
// A task of Connect is a partition's worker here.
func (p *Publisher) deadLetterHeaders(d *pgstore.DeadLetter) []kafkarecord.Header {
	message := d.Detail
	if d.Field != "" {
		message = d.Field + ": " + message
	}
	partition := strconv.Itoa(int(d.Partition))
	var headers []kafkarecord.Header
	add := func(name, value string) {
		headers = append(headers, kafkarecord.Header{Key: name, Value: []byte(value)})
	}
	add(headerTopic, d.Topic)
	add(headerPartition, partition)
	add(headerOffset, strconv.FormatInt(d.Offset, 10))
	add(headerConnector, p.cfg.Connector)
	add(headerTask, partition)
	add(headerStage, stageOf(d.Reason))
	add(headerClass, "tcda")
	add(headerException, "tcda."+string(d.Reason))
	add(headerMessage, message)
	add(headerReason, string(d.Reason))
	if d.InPart {
		add(headerLength, strconv.FormatInt(d.Length, 10))
		if d.SHA256 != nil {
			add(headerSHA256, hex.EncodeToString(d.SHA256))
		}
	}
	return headers
}

// stageOf is the stage of Connect at which a record was refused: when it was read,
// or when what it says was brought into the store.
func stageOf(reason fact.Reason) string {
	switch reason {
	case fact.ReasonIDConflict, fact.ReasonDatabase, fact.ReasonDefinition, fact.ReasonParameters, fact.ReasonCycle, fact.ReasonLimit:
		return "TASK_PUT"
	default:
		return "VALUE_CONVERTER"
	}
}
