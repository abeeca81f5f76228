package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicID is the identity of a topic: a topic that was deleted and made again
// by the same name has another one. It is zero where brokers give none (before
// Kafka 2.8).
type TopicID [16]byte

func (id TopicID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// Topic is what a cluster says of a topic.
type Topic struct {
	Name       string
	ID         TopicID
	Partitions []int32 // ascending
}

// Topic asks the cluster for a topic. The error is ErrUnknownTopic when there
// is none by that name.
func (c *Client) Topic(ctx context.Context, name string) (Topic, error) {
	request := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &name
	request.Topics = append(request.Topics, asked)
	answer, err := c.exchange(ctx, request, toAnyBroker, c.config.RequestTimeout)
	if err != nil {
		return Topic{}, fmt.Errorf("describe topic %s: %w", name, err)
	}
	defer answer.release()
	for _, t := range answer.response.(*kmsg.MetadataResponse).Topics {
		if t.Topic == nil || *t.Topic != name {
			continue
		}
		if err := failure(t.ErrorCode); err != nil {
			return Topic{}, fmt.Errorf("describe topic %s: %w", name, err)
		}
		topic := Topic{Name: name, ID: t.TopicID}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, p.Partition)
		}
		slices.Sort(topic.Partitions)
		return topic, nil
	}
	return Topic{}, fmt.Errorf("describe topic %s: %w", name, ErrUnknownTopic)
}

// TopicSpec says how a topic is to be made.
type TopicSpec struct {
	Name        string
	Partitions  int32             // 0: the cluster's default
	Replication int16             // 0: the cluster's default
	Settings    map[string]string // such as retention.ms
}

// EnsureTopics makes the topics that do not exist, and returns when all of them
// can be read. Those that exist stay as they are.
func (c *Client) EnsureTopics(ctx context.Context, specs ...TopicSpec) error {
	request := kmsg.NewPtrCreateTopicsRequest()
	request.TimeoutMillis = int32(c.config.RequestTimeout / time.Millisecond)
	for _, spec := range specs {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic = spec.Name
		topic.NumPartitions, topic.ReplicationFactor = -1, -1
		if spec.Partitions > 0 {
			topic.NumPartitions = spec.Partitions
		}
		if spec.Replication > 0 {
			topic.ReplicationFactor = spec.Replication
		}
		for name, value := range spec.Settings {
			setting := kmsg.NewCreateTopicsRequestTopicConfig()
			setting.Name, setting.Value = name, &value
			topic.Configs = append(topic.Configs, setting)
		}
		request.Topics = append(request.Topics, topic)
	}
	answer, err := c.exchange(ctx, request, toController, 2*c.config.RequestTimeout)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	defer answer.release()
	var problems []error
	for _, t := range answer.response.(*kmsg.CreateTopicsResponse).Topics {
		if code := kafka.Error(t.ErrorCode); code != 0 && code != kafka.TopicAlreadyExists {
			problem := fmt.Errorf("create topic %s: %w", t.Topic, code)
			if t.ErrorMessage != nil && *t.ErrorMessage != "" {
				problem = fmt.Errorf("%w (%s)", problem, *t.ErrorMessage)
			}
			problems = append(problems, problem)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	for _, spec := range specs {
		if err := c.awaitReadable(ctx, spec.Name); err != nil {
			return fmt.Errorf("wait for topic %s: %w", spec.Name, err)
		}
	}
	return nil
}

// awaitReadable returns when every partition of a topic has a leader that we
// know of: a new topic reaches the brokers, and our own view of them, late.
func (c *Client) awaitReadable(ctx context.Context, name string) error {
	readable := func() error {
		topic, err := c.Topic(ctx, name)
		if err != nil {
			return err
		}
		for _, partition := range topic.Partitions {
			if _, err := c.listOffset(ctx, name, partition, earliest, readUncommitted); err != nil {
				return err
			}
		}
		return nil
	}
	deadline := time.Now().Add(c.config.RequestTimeout + c.config.MetadataAge)
	for {
		err := readable()
		if err == nil || !IsRetriable(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Offsets are the bounds of a partition's log.
type Offsets struct {
	Start      int64 // of the oldest record that is still there
	LastStable int64 // up to here transactions are decided: the end for readers of committed records
	End        int64 // high watermark: offset of the next record to be written
}

const (
	latest   = -1 // as timestamps in a request for offsets
	earliest = -2

	readUncommitted = 0
	readCommitted   = 1
)

// Offsets asks the leader of a partition for the bounds of its log.
func (c *Client) Offsets(ctx context.Context, topic string, partition int32) (Offsets, error) {
	var o Offsets
	for _, ask := range []struct {
		into                 *int64
		timestamp, isolation int
	}{
		{&o.Start, earliest, readUncommitted},
		{&o.LastStable, latest, readCommitted},
		{&o.End, latest, readUncommitted},
	} {
		offset, err := c.listOffset(ctx, topic, partition, ask.timestamp, ask.isolation)
		if err != nil {
			return Offsets{}, fmt.Errorf("ask for offsets of %s/%d: %w", topic, partition, err)
		}
		*ask.into = offset
	}
	return o, nil
}

func (c *Client) listOffset(ctx context.Context, topic string, partition int32, timestamp, isolation int) (int64, error) {
	request := kmsg.NewPtrListOffsetsRequest()
	request.IsolationLevel = int8(isolation)
	askedPartition := kmsg.NewListOffsetsRequestTopicPartition()
	askedPartition.Partition, askedPartition.Timestamp = partition, int64(timestamp)
	askedTopic := kmsg.NewListOffsetsRequestTopic()
	askedTopic.Topic = topic
	askedTopic.Partitions = append(askedTopic.Partitions, askedPartition)
	request.Topics = append(request.Topics, askedTopic)
	answer, err := c.exchange(ctx, request, toLeader(topic, partition), c.config.RequestTimeout)
	if err != nil {
		return 0, err
	}
	defer answer.release()
	for _, t := range answer.response.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			if t.Topic == topic && p.Partition == partition {
				return p.Offset, failure(p.ErrorCode)
			}
		}
	}
	return 0, errors.New("the response lacks the partition")
}
