package kafkalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// ErrBrokerTooOld says that a broker lacks the versions of requests that we
// need: Kafka 2.1 or newer has them.
var ErrBrokerTooOld = errors.New("broker is too old: Kafka 2.1 or newer is needed")

// ErrResponseTooLarge says that a broker answered more than
// Config.MaxResponseBytes, or is none.
var ErrResponseTooLarge = errors.New("response is too large")

// ErrUnknownTopic says that a topic, or one of its partitions, does not exist.
var ErrUnknownTopic = errors.New("topic or partition does not exist")

// ErrOtherTopic says that the topic whose id was asked for is gone; one of the
// same name is another one.
var ErrOtherTopic = errors.New("the topic was deleted or made again")

// ErrGenerationEnded is the cause of the end of a handler's context when the
// group rebalances.
var ErrGenerationEnded = errors.New("generation of the consumer group has ended")

// OffsetOutOfRangeError says that a partition does not hold the offset that was
// asked for: it was removed (Asked < LogStart: records are missing) or never
// written there (Asked > LogEnd: the topic is another one than before).
type OffsetOutOfRangeError struct {
	Topic     string
	Partition int32
	Asked     int64
	LogStart  int64
	LogEnd    int64 // high watermark
}

func (e *OffsetOutOfRangeError) Error() string {
	return fmt.Sprintf("offset %d of %s/%d is out of range: the log holds %d up to %d", e.Asked, e.Topic, e.Partition, e.LogStart, e.LogEnd)
}

// CorruptBatchError says that a record batch cannot be decoded, which repeating
// does not mend. Everything before it has been delivered; reading on from Last+1
// leaves it out.
type CorruptBatchError struct {
	Topic       string
	Partition   int32
	First, Last int64 // offsets of the batch; equal when its header is unreadable
	Err         error
}

func (e *CorruptBatchError) Error() string {
	return fmt.Sprintf("corrupt record batch in %s/%d at offsets %d..%d: %v", e.Topic, e.Partition, e.First, e.Last, e.Err)
}

func (e *CorruptBatchError) Unwrap() error { return e.Err }

// IsRetriable reports whether the same call may succeed later without anybody
// doing anything: the leader has moved, a broker restarts, the network is gone.
// It is false for what an operator has to decide or to mend, and for a
// cancelled context. An exceeded deadline is retriable: whoever set one of
// their own looks at it first.
func IsRetriable(err error) bool {
	var (
		outOfRange *OffsetOutOfRangeError
		corrupt    *CorruptBatchError
		code       kafka.Error
	)
	switch {
	case err == nil,
		errors.Is(err, context.Canceled),
		errors.Is(err, ErrBrokerTooOld),
		errors.Is(err, ErrResponseTooLarge),
		errors.Is(err, ErrOtherTopic),
		errors.As(err, &outOfRange),
		errors.As(err, &corrupt):
		return false
	case errors.As(err, &code):
		switch code {
		case kafka.Unknown, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable,
			kafka.IllegalGeneration, kafka.UnknownMemberId, kafka.RebalanceInProgress, kafka.MemberIDRequired:
			return true // kafka-go calls these final, but they pass
		default:
			return code.Temporary()
		}
	default:
		return true
	}
}

// failure turns an error code of a response into an error, nil for 0.
func failure(code int16) error {
	switch kafka.Error(code) {
	case 0:
		return nil
	case kafka.UnknownTopicOrPartition:
		return fmt.Errorf("%w: %w", ErrUnknownTopic, kafka.UnknownTopicOrPartition)
	case unknownTopicID, inconsistentTopicID:
		return fmt.Errorf("%w: error code %d", ErrOtherTopic, code)
	default:
		return kafka.Error(code)
	}
}

// Error codes that kafka-go has no names for.
const (
	unknownTopicID      kafka.Error = 100
	inconsistentTopicID kafka.Error = 103
)
