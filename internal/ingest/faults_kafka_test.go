package ingest_test

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// What may happen to Kafka and on the way to it. Nothing can be ingested that
// cannot be read, so the rows ask for no more than the promises of all: once it
// is there again everything is, once, and no error of a broker quarantines a
// record or stops a partition.
//
//	fault                                        what the row adds to the promises of all
//	broker stopped                               taken up where PostgreSQL stands when it is back
//	slow network                                 ingest goes on
//	cut off, in either or both directions        noticed; longer than the session where the group hears of it
//	refused by the network                       likewise
//	one of two instances cut off                 the other takes over; the first comes back without harm
//	coordinator and leaders move, a broker goes  found where they are now
//	errors in answers, a row a kind of request   each error some times in a row, retriable or not
//
// Beside them, in other files: a log that lost records, or its end, or is
// another one, which does stop the partition (TestRecordsDeletedBeforeTheyWereReadStopThePartition,
// TestARecreatedTopicStopsThePartitionUntilItIsReset, TestAClaimThatWaitedSeesTheLogAsItIsNow);
// committed offsets that are lost (TestOffsetsInKafkaAreOnlyAGauge); two
// instances and zombies (TestTwoInstancesShareTheTopicAndOneTakesOver,
// TestAZombieIsFencedAndTheOwnerClaimsAgain); the reader alone (package kafkalog).
//
// These rows are of an in-process Kafka. On Apache Kafka, too, the built program
// meets it slow, cut off and stopped (e2e: TestKafkaIsSlowCutOffAndStoppedUnderLoad),
// and leaders that move and brokers that restart and die (e2e:
// TestLeadersMoveAndBrokersRestartUnderLoad).
func TestFaultsOfKafka(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]func(*world) *fault{
		"broker stopped": func(w *world) *fault {
			start := w.stoppableKafka()
			return &fault{
				inject:  w.kafka.Fake.Close,
				noticed: w.groupIsOutOfReach,
				mute:    true,
				heal:    start,
				engine:  withShortSession,
			}
		},
		"slow network": func(w *world) *fault {
			f, proxy := w.kafkaBehind(func(p *testenv.NetworkProxy) { p.Slow(250*time.Millisecond, 20_000) })
			f.noticed = func() bool {
				// A fetch waits 50 ms for records, as long as nothing is slow.
				return w.metric(`tcda_step_seconds_count{step="S1"}`) > w.metric(`tcda_step_seconds_bucket{step="S1",le="0.3814697265625"}`)
			}
			slow := f.engine
			f.engine = func(s *settings) {
				slow(s)
				s.config.Group.SessionTimeout = 10 * time.Second // heartbeats are slow, too
			}
			f.works, f.heal = true, proxy.Heal
			return f
		},
		"cut off": func(w *world) *fault {
			f, proxy := w.kafkaBehind(func(p *testenv.NetworkProxy) { p.Swallow() })
			f.noticed, f.heal = w.groupIsEmpty, proxy.Heal
			return f
		},
		"requests cut off": func(w *world) *fault {
			f, proxy := w.kafkaBehind(func(p *testenv.NetworkProxy) { p.Swallow(testenv.ToServer) })
			f.noticed, f.heal = w.groupIsEmpty, proxy.Heal
			return f
		},
		"answers cut off": func(w *world) *fault {
			f, proxy := w.kafkaBehind(func(p *testenv.NetworkProxy) { p.Swallow(testenv.FromServer) })
			f.noticed, f.heal = w.groupIsOutOfReach, proxy.Heal
			return f
		},
		"refused by the network": func(w *world) *fault {
			f, proxy := w.kafkaBehind((*testenv.NetworkProxy).Refuse)
			f.noticed, f.heal = w.groupIsEmpty, proxy.Heal
			return f
		},
		"one of two instances cut off": func(w *world) *fault {
			f, proxy := w.kafkaBehind(func(p *testenv.NetworkProxy) {
				testenv.Eventually(w, "each instance has a partition", func() bool {
					return w.partition(0).Owner != w.partition(1).Owner && w.partition(1).Owner != ""
				})
				p.Swallow()
			})
			direct := &fault{engine: withShortSession}
			f.start = func() func() {
				stopCut, stopDirect := w.start("cut", w.underFault(f)), w.start("direct", w.underFault(direct))
				return func() {
					stopCut()
					stopDirect()
				}
			}
			f.noticed = func() bool { return w.partition(0).Owner == "direct" && w.partition(1).Owner == "direct" }
			f.works, f.heal = true, proxy.Heal
			return f
		},
		"coordinator and leaders move, a broker goes": func(w *world) *fault {
			w.useKafka(testenv.Kafka(w, kfake.NumBrokers(3)))
			var moved *kfake.FaultHandle
			return &fault{
				inject: func() {
					fake := w.kafka.Fake
					moved = fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: "tcda", Count: -1, Observe: true})
					must(w, fake.RemoveNode(fake.CoordinatorFor("tcda")))
					fake.RehashCoordinators()
					fake.ShufflePartitionLeaders()
				},
				noticed: func() bool { return moved.Hits() > 0 },
				works:   true,
				engine:  withShortSession,
			}
		},
		"errors of fetches": func(w *world) *fault {
			return w.brokerAnswers(kmsg.Fetch, kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.LeaderNotAvailable,
				kerr.ReplicaNotAvailable, kerr.OffsetNotAvailable, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.OffsetOutOfRange,
				kerr.KafkaStorageError, kerr.CorruptMessage, kerr.RequestTimedOut, kerr.TopicAuthorizationFailed, kerr.UnknownServerError)
		},
		"errors of offset lists": func(w *world) *fault {
			return w.brokerAnswers(kmsg.ListOffsets, kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.UnknownTopicOrPartition,
				kerr.KafkaStorageError, kerr.RequestTimedOut, kerr.TopicAuthorizationFailed, kerr.UnknownServerError)
		},
		"errors of metadata": func(w *world) *fault {
			return w.brokerAnswers(kmsg.Metadata, kerr.LeaderNotAvailable, kerr.UnknownTopicOrPartition, kerr.BrokerNotAvailable,
				kerr.RequestTimedOut, kerr.TopicAuthorizationFailed, kerr.UnknownServerError)
		},
		"errors of finding the coordinator": func(w *world) *fault {
			return w.brokerAnswers(kmsg.FindCoordinator, kerr.CoordinatorNotAvailable, kerr.GroupAuthorizationFailed, kerr.UnknownServerError)
		},
		"errors of joining": func(w *world) *fault {
			return w.brokerAnswers(kmsg.JoinGroup, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnknownMemberID,
				kerr.RebalanceInProgress, kerr.InconsistentGroupProtocol, kerr.GroupMaxSizeReached, kerr.RequestTimedOut,
				kerr.GroupAuthorizationFailed, kerr.UnknownServerError)
		},
		"errors of syncing": func(w *world) *fault {
			return w.brokerAnswers(kmsg.SyncGroup, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnknownMemberID,
				kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.RequestTimedOut, kerr.GroupAuthorizationFailed, kerr.UnknownServerError)
		},
		"errors of heartbeats": func(w *world) *fault {
			return w.brokerAnswers(kmsg.Heartbeat, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.UnknownMemberID, kerr.IllegalGeneration,
				kerr.RebalanceInProgress, kerr.FencedInstanceID, kerr.RequestTimedOut, kerr.GroupAuthorizationFailed, kerr.UnknownServerError)
		},
		"errors of committed offsets": func(w *world) *fault {
			return w.brokerAnswers(kmsg.OffsetFetch, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress,
				kerr.RequestTimedOut, kerr.GroupAuthorizationFailed, kerr.UnknownServerError)
		},
		"errors of commits": func(w *world) *fault {
			return w.brokerAnswers(kmsg.OffsetCommit, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.IllegalGeneration,
				kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.OffsetMetadataTooLarge, kerr.RequestTimedOut,
				kerr.GroupAuthorizationFailed, kerr.UnknownServerError)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFaultWorld(t)
			w.withstand(row(w))
		})
	}
}

// useKafka lets the world work with another cluster.
func (w *world) useKafka(cluster *testenv.KafkaCluster) {
	w.Helper()
	w.kafka = cluster
	w.kafka.CreateTopic(w, topic, 2, nil)
	w.client = w.loggingClient(nil)
	w.writer = w.newWriter()
}

// stoppableKafka gives the world a broker whose logs and groups are on disk. It
// is stopped by Close.
func (w *world) stoppableKafka() (start func()) {
	w.Helper()
	onDisk := []kfake.Opt{kfake.DataDir(w.TempDir()), kfake.GroupMinSessionTimeout(50 * time.Millisecond)}
	w.useKafka(testenv.Kafka(w, append(onDisk, kfake.NumBrokers(1))...))
	_, port, err := net.SplitHostPort(w.kafka.Brokers[0])
	must(w, err)
	number, err := strconv.Atoi(port)
	must(w, err)
	return func() {
		testenv.Eventually(w, "the broker is back on its port", func() bool {
			again, err := kfake.NewCluster(append(onDisk, kfake.Ports(number))...)
			if err != nil {
				return false
			}
			w.Cleanup(again.Close)
			w.kafka.Fake = again
			return true
		})
	}
}

// withShortSession lets the group forget soon who is silent.
func withShortSession(s *settings) { s.config.Group.SessionTimeout = time.Second }

// groupIsOutOfReach is what the service says of it.
func (w *world) groupIsOutOfReach() bool {
	return w.said.says("warn", "no place in the consumer group")
}

// groupIsEmpty is what the broker says.
func (w *world) groupIsEmpty() bool { return len(w.kafka.Fake.GroupInfo("tcda").Members) == 0 }

// kafkaBehind is a fault of the network between the service and Kafka; the
// producers have another way.
func (w *world) kafkaBehind(harm func(*testenv.NetworkProxy)) (*fault, *testenv.NetworkProxy) {
	w.Helper()
	proxy := testenv.Proxy(w, w.kafka.Brokers[0])
	client := w.loggingClient(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, proxy.Addr())
	})
	return &fault{
		inject: func() { harm(proxy) },
		engine: func(s *settings) {
			s.parts.Kafka = client
			withShortSession(s)
		},
	}, proxy
}

// loggingClient is one whose complaints are in the log.
func (w *world) loggingClient(dial func(ctx context.Context, network, address string) (net.Conn, error)) *kafkalog.Client {
	w.Helper()
	client, err := kafkalog.Open(kafkalog.Config{
		Brokers: w.kafka.Brokers, ClientID: "tcda-test", Topics: []string{topic}, Logger: w.said.logger(),
		DialTimeout: 2 * time.Second, RequestTimeout: 2 * time.Second, Dial: dial,
	})
	must(w, err)
	w.Cleanup(client.Close)
	return client
}

// brokerAnswers is a broker that answers a kind of request with errors, each of
// them twice. A heartbeat that asks to join anew comes before, for those requests
// that a member at work does not send.
func (w *world) brokerAnswers(key kmsg.Key, errors ...*kerr.Error) *fault {
	const each = 2
	rejoins := 1
	if key == kmsg.OffsetFetch {
		rejoins = each * len(errors) // for those errors mean nothing, so that it is not asked again
	}
	faults := []kfake.Fault{{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: "tcda", Err: kerr.UnknownMemberID, Count: rejoins}}
	for _, err := range errors {
		faults = append(faults, kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: each})
	}
	var handle *kfake.FaultHandle
	return &fault{
		inject:  func() { handle = w.kafka.Fake.Fault(faults...) },
		noticed: func() bool { return handle.Hits() == rejoins+each*len(errors) },
		works:   true,
		engine:  withShortSession,
	}
}
