package api

import (
	"context"
	"strconv"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// operations is OperationsService.
type operations struct{ Parts }

func (s *operations) ListPartitions(ctx context.Context, _ *connect.Request[contract.ListPartitionsRequest]) (*connect.Response[contract.ListPartitionsResponse], error) {
	all, err := s.Store.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	answer := &contract.ListPartitionsResponse{}
	for _, p := range all {
		answer.Partitions = append(answer.Partitions, &contract.Partition{
			Topic: p.Topic, Partition: p.Number, Generation: p.Generation, Epoch: p.Epoch, Owner: p.Owner, NextOffset: p.Next, StoppedReason: p.StoppedReason,
			Applied: p.Applied, Duplicates: p.Duplicates, Quarantined: p.Quarantined, UpdatedAt: moment(p.UpdatedAt),
		})
	}
	return connect.NewResponse(answer), nil
}

func (s *operations) ListQuarantined(ctx context.Context, r *connect.Request[contract.ListQuarantinedRequest]) (*connect.Response[contract.ListQuarantinedResponse], error) {
	before, err := cursorOf[int64](r.Msg)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.QuarantinedRecords(ctx, pgstore.QuarantineFilter{
		Status: pgstore.QuarantineStatus(r.Msg.GetStatus()), Reason: fact.Reason(r.Msg.GetReason()), Before: before, Page: pageSize(r.Msg),
	})
	if err != nil {
		return nil, err
	}
	answer := &contract.ListQuarantinedResponse{NextPageToken: nextToken(r.Msg, found, func(q *pgstore.QuarantinedRecord) int64 { return q.ID })}
	for i := range found {
		answer.Records = append(answer.Records, quarantinedMessage(&found[i]))
	}
	return connect.NewResponse(answer), nil
}

func (s *operations) GetQuarantined(ctx context.Context, r *connect.Request[contract.GetQuarantinedRequest]) (*connect.Response[contract.GetQuarantinedResponse], error) {
	q, err := s.Store.QuarantinedRecord(ctx, r.Msg.GetId())
	if err != nil {
		return nil, orNotFound(err, "record", strconv.FormatInt(r.Msg.GetId(), 10))
	}
	m := quarantinedMessage(&q)
	m.RecordKey, m.RecordValue = q.Record.Key, q.Record.Value
	return connect.NewResponse(&contract.GetQuarantinedResponse{Record: m}), nil
}

func (s *operations) DiscardQuarantined(ctx context.Context, r *connect.Request[contract.DiscardQuarantinedRequest]) (*connect.Response[contract.DiscardQuarantinedResponse], error) {
	return once(ctx, s.Commands, r, "", func(ctx context.Context, tx *command.Tx, m *contract.DiscardQuarantinedRequest) (*contract.DiscardQuarantinedResponse, error) {
		return &contract.DiscardQuarantinedResponse{}, tx.DiscardQuarantined(ctx, m.GetId(), m.GetReason())
	})
}

func (s *operations) GetKillSwitch(ctx context.Context, _ *connect.Request[contract.GetKillSwitchRequest]) (*connect.Response[contract.GetKillSwitchResponse], error) {
	k, err := s.Store.KillSwitch(ctx)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.GetKillSwitchResponse{KillSwitch: killSwitchMessage(k)}), nil
}

func (s *operations) SetKillSwitch(ctx context.Context, r *connect.Request[contract.SetKillSwitchRequest]) (*connect.Response[contract.SetKillSwitchResponse], error) {
	return once(ctx, s.Commands, r, "", func(ctx context.Context, tx *command.Tx, m *contract.SetKillSwitchRequest) (*contract.SetKillSwitchResponse, error) {
		k, err := tx.SetKillSwitch(ctx, m.GetEngaged(), m.GetReason())
		if err != nil {
			return nil, err
		}
		return &contract.SetKillSwitchResponse{KillSwitch: killSwitchMessage(k)}, nil
	})
}

func (s *operations) ListAuditLog(ctx context.Context, r *connect.Request[contract.ListAuditLogRequest]) (*connect.Response[contract.ListAuditLogResponse], error) {
	if r.Msg.GetActor() != "" && r.Msg.GetSubject() != "" {
		return nil, invalid("subject", "not together with actor")
	}
	before, err := cursorOf[int64](r.Msg)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.AuditLog(ctx, pgstore.AuditFilter{Actor: r.Msg.GetActor(), Subject: r.Msg.GetSubject(), Before: before, Page: pageSize(r.Msg)})
	if err != nil {
		return nil, err
	}
	answer := &contract.ListAuditLogResponse{NextPageToken: nextToken(r.Msg, found, func(e *pgstore.AuditEntry) int64 { return e.ID })}
	for _, e := range found {
		answer.Entries = append(answer.Entries, &contract.AuditEntry{Id: e.ID, Time: moment(e.At), Actor: e.Actor, Action: e.Action, Subject: e.Subject, Reason: e.Reason})
	}
	return connect.NewResponse(answer), nil
}

func quarantinedMessage(q *pgstore.QuarantinedRecord) *contract.QuarantinedRecord {
	return &contract.QuarantinedRecord{
		Id: q.ID, Address: &contract.KafkaAddress{Topic: q.Topic, Partition: q.Partition, Offset: q.Offset}, Reason: string(q.Reason), Field: q.Field, Detail: q.Detail,
		Status: string(q.Status), ValueLength: q.Length, Complete: q.Complete, QuarantinedAt: moment(q.QuarantinedAt), ResolvedAt: moment(q.ResolvedAt),
		ResolvedBy: q.ResolvedBy, Resolution: q.Resolution,
	}
}

func killSwitchMessage(k pgstore.KillSwitch) *contract.KillSwitch {
	return &contract.KillSwitch{Engaged: k.Engaged, Reason: k.Reason, ChangedBy: k.ChangedBy, ChangedAt: moment(k.ChangedAt)}
}
