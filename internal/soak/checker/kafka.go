package checker

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka is the log of a real history. It reads from the beginning, and only
// what was committed.
type Kafka struct {
	Brokers []string
	Topics  []string
}

// patience is how long Kafka may be silent.
const patience = time.Minute

func (k Kafka) client(options ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.Brokers...), kgo.ClientID("soak-checker")}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return client, nil
}

// Ends asks for the last stable offsets.
func (k Kafka) Ends(ctx context.Context) (map[Partition]int64, error) {
	client, err := k.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListCommittedOffsets(ctx, k.Topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of %v: %w", k.Topics, err)
	}
	ends := map[Partition]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[Partition{o.Topic, o.Partition}] = o.Offset })
	return ends, nil
}

// Records reads everything below the ends.
func (k Kafka) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := k.read(ctx, func(r Record) bool { return yield(r, nil) }); err != nil {
			yield(Record{}, err)
		}
	}
}

func (k Kafka) read(ctx context.Context, each func(Record) bool) error {
	ends, err := k.Ends(ctx)
	if err != nil {
		return err
	}
	assigned, left := map[string]map[int32]kgo.Offset{}, 0
	for p, end := range ends {
		if end == 0 {
			continue
		}
		if assigned[p.Topic] == nil {
			assigned[p.Topic] = map[int32]kgo.Offset{}
		}
		assigned[p.Topic][p.Number] = kgo.NewOffset().At(0)
		left++
	}
	if left == 0 {
		return nil
	}
	// Control records are kept to see the end of a partition that ends in one.
	client, err := k.client(kgo.ConsumePartitions(assigned), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer client.Close()
	for left > 0 {
		ctx, cancel := context.WithTimeout(ctx, patience)
		fetches := client.PollFetches(ctx)
		cancel()
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read Kafka: %w", err)
		}
		going := true
		fetches.EachRecord(func(r *kgo.Record) {
			p := Partition{r.Topic, r.Partition}
			if !going || r.Offset >= ends[p] {
				return
			}
			if r.Offset == ends[p]-1 {
				left--
			}
			if !r.Attrs.IsControl() {
				going = each(recordOf(r))
			}
		})
		if !going {
			return nil
		}
	}
	return nil
}

func recordOf(r *kgo.Record) Record {
	out := Record{Address: Address{r.Topic, r.Partition, r.Offset}, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, Header{h.Key, h.Value})
	}
	return out
}
