package api_test

import (
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

func TestKillSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("slow", "text")
	if k := call(w, w.operations.GetKillSwitch, &contract.GetKillSwitchRequest{}).GetKillSwitch(); k.GetEngaged() || k.GetChangedBy() != "" {
		t.Errorf("nobody touched the switch, and it is %v", k)
	}
	set := func(engaged bool, reason string) *contract.SetKillSwitchRequest {
		return &contract.SetKillSwitchRequest{RequestId: w.request(), Engaged: engaged, Reason: reason}
	}
	r := set(true, "release day")
	call(w, w.operations.SetKillSwitch, r)
	if k := call(w, w.operations.GetKillSwitch, &contract.GetKillSwitchRequest{}).GetKillSwitch(); !k.GetEngaged() || k.GetReason() != "release day" || k.GetChangedBy() == "" || k.GetChangedAt() == nil {
		t.Errorf("the switch is %v", k)
	}
	refused(w, w.executions.RequestExecution, w.ask("exec-1", "slow", ""), connect.CodeFailedPrecondition, "not_ready")
	call(w, w.operations.SetKillSwitch, set(false, "done"))
	call(w, w.operations.SetKillSwitch, r) // a repeat changes nothing
	call(w, w.executions.RequestExecution, w.ask("exec-1", "slow", ""))
	refused(w, w.operations.SetKillSwitch, set(true, ""), connect.CodeInvalidArgument, "invalid_argument", "reason")

	list := &contract.ListAuditLogRequest{PageSize: 1}
	var actions []string
	for {
		page := call(w, w.operations.ListAuditLog, list)
		for _, e := range page.GetEntries() {
			actions = append(actions, e.GetAction()+" "+e.GetReason())
		}
		if list.PageToken = page.GetNextPageToken(); list.GetPageToken() == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"kill_switch.release done", "kill_switch.engage release day"}, actions); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
	refused(w, w.operations.ListAuditLog, &contract.ListAuditLogRequest{Actor: "a", Subject: "b"}, connect.CodeInvalidArgument, "invalid_argument", "subject")
}

func TestQuarantineOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.poison()
	first := call(w, w.operations.ListQuarantined, &contract.ListQuarantinedRequest{PageSize: 2, Status: "open"})
	if len(first.GetRecords()) != 2 || first.GetNextPageToken() == "" || first.GetRecords()[0].GetRecordValue() != nil {
		t.Fatalf("listed %v", first)
	}
	id := first.GetRecords()[0].GetId()
	if got := call(w, w.operations.GetQuarantined, &contract.GetQuarantinedRequest{Id: id}).GetRecord(); string(got.GetRecordValue()) != "{" || got.GetReason() != "json" {
		t.Errorf("record %v", got)
	}
	discard := &contract.DiscardQuarantinedRequest{RequestId: "d", Id: id, Reason: "noise"}
	call(w, w.operations.DiscardQuarantined, discard)
	call(w, w.operations.DiscardQuarantined, discard)
	if got := call(w, w.operations.GetQuarantined, &contract.GetQuarantinedRequest{Id: id}).GetRecord(); got.GetStatus() != "discarded" || got.GetResolution() != "noise" {
		t.Errorf("discarded record %v", got)
	}
	discard.RequestId = "d2"
	refused(w, w.operations.DiscardQuarantined, discard, connect.CodeFailedPrecondition, "record_not_open", "id")
	refused(w, w.operations.GetQuarantined, &contract.GetQuarantinedRequest{Id: 99}, connect.CodeNotFound, "record_not_found")
	if log := call(w, w.operations.ListAuditLog, &contract.ListAuditLogRequest{}); len(log.GetEntries()) != 1 || log.GetEntries()[0].GetAction() != "quarantine.discard" {
		t.Errorf("audit log %v, want one discard", log)
	}
	if list := call(w, w.operations.ListPartitions, &contract.ListPartitionsRequest{}).GetPartitions(); len(list) != 1 || list[0].GetTopic() != "executions" || list[0].GetOwner() != "a" {
		t.Errorf("partitions %v", list)
	}
}

// poison quarantines three records.
func (w *world) poison() {
	w.Helper()
	p, err := w.store.Claim(w.Context(), pgstore.ClaimRequest{Topic: "executions", Owner: "a", Now: time.Now()})
	if err != nil {
		w.Fatal(err)
	}
	err = w.store.Batch(w.Context(), time.Now(), func(tx *pgstore.Tx) error {
		var poison []pgstore.Poison
		for offset := range int64(3) {
			poison = append(poison, pgstore.Poison{
				Record:    kafkarecord.Record{Key: []byte("exec-1"), Value: []byte("{"), Offset: offset},
				Rejection: fact.Reject(fact.ReasonJSON, "", "{", "JSON"),
			})
		}
		if err := tx.Quarantine(w.Context(), p, poison); err != nil {
			return err
		}
		return tx.Count(w.Context(), p, 0, 0, len(poison))
	})
	if err != nil {
		w.Fatal(err)
	}
}
