package api

import (
	"context"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/locking"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// locks is LockService.
type locks struct {
	Parts
	locks *locking.Locks
}

func (s *locks) AcquireLock(ctx context.Context, r *connect.Request[contract.AcquireLockRequest]) (*connect.Response[contract.AcquireLockResponse], error) {
	m := r.Msg
	l, err := s.locks.Acquire(ctx, lock.Ask{
		Name: lock.Name(m.GetName()), Holder: lock.Holder(m.GetHolder()), Lease: m.GetLease().AsDuration(), Purpose: m.GetPurpose(),
	})
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.AcquireLockResponse{Lock: lockMessage(l)}), nil
}

func (s *locks) RenewLock(ctx context.Context, r *connect.Request[contract.RenewLockRequest]) (*connect.Response[contract.RenewLockResponse], error) {
	name, token := lockToken(r.Msg.GetLock())
	l, err := s.locks.Renew(ctx, name, token, r.Msg.GetLease().AsDuration())
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.RenewLockResponse{Lock: lockMessage(l)}), nil
}

func (s *locks) ReleaseLock(ctx context.Context, r *connect.Request[contract.ReleaseLockRequest]) (*connect.Response[contract.ReleaseLockResponse], error) {
	name, token := lockToken(r.Msg.GetLock())
	l, err := s.locks.Release(ctx, name, token)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ReleaseLockResponse{Lock: lockMessage(l)}), nil
}

func (s *locks) GetLock(ctx context.Context, r *connect.Request[contract.GetLockRequest]) (*connect.Response[contract.GetLockResponse], error) {
	l, err := s.Store.Lock(ctx, lock.Name(r.Msg.GetName()))
	if err != nil {
		return nil, orNotFound(err, "lock", r.Msg.GetName())
	}
	return connect.NewResponse(&contract.GetLockResponse{Lock: lockMessage(l)}), nil
}

func (s *locks) ListLocks(ctx context.Context, r *connect.Request[contract.ListLocksRequest]) (*connect.Response[contract.ListLocksResponse], error) {
	after, err := cursorOf[string](r.Msg)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Locks(ctx, pgstore.LockPage{After: lock.Name(after), Size: pageSize(r.Msg), All: r.Msg.GetAll()})
	if err != nil {
		return nil, err
	}
	answer := &contract.ListLocksResponse{NextPageToken: nextToken(r.Msg, found, func(l *lock.Lock) string { return string(l.Name) })}
	for _, l := range found {
		answer.Locks = append(answer.Locks, lockMessage(l))
	}
	return connect.NewResponse(answer), nil
}

func (s *locks) BreakLock(ctx context.Context, r *connect.Request[contract.BreakLockRequest]) (*connect.Response[contract.BreakLockResponse], error) {
	name, token := lockToken(r.Msg.GetLock())
	l, err := s.locks.Break(ctx, lock.Break{Name: name, Token: token, By: callerOf(ctx), Reason: r.Msg.GetReason()}, s.Now())
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.BreakLockResponse{Lock: lockMessage(l)}), nil
}

func lockToken(m *contract.LockToken) (lock.Name, lock.Token) {
	return lock.Name(m.GetName()), lock.Token(m.GetToken())
}

func lockMessage(l lock.Lock) *contract.Lock {
	m := &contract.Lock{
		Name: string(l.Name), Holder: string(l.Holder), Token: int64(l.Token), Purpose: l.Purpose, State: string(l.State),
		AcquiredAt: moment(l.AcquiredAt), RenewedAt: moment(l.RenewedAt), ExpiresAt: moment(l.ExpiresAt),
		EndedAt: moment(l.EndedAt), EndedBy: l.EndedBy, EndReason: l.EndReason,
	}
	if l.State == lock.Held {
		m.Remaining = durationpb.New(l.Remaining)
	}
	return m
}

// lockHeld tells by whom, and when it may be worth to ask again.
func lockHeld(e *lock.HeldError) *failure {
	return &failure{
		code: connect.CodeFailedPrecondition, reason: "lock_held", message: e.Error(),
		metadata: map[string]string{
			"name": string(e.Name), "holder": string(e.Holder), "token": strconv.FormatInt(int64(e.Token), 10), "expires_at": e.Until.UTC().Format(time.RFC3339Nano),
		},
		details: []proto.Message{&errdetails.RetryInfo{RetryDelay: durationpb.New(e.Remaining)}},
	}
}

// lockLost tells a holder that it holds the lock no more, and how it lost it.
func lockLost(e *lock.LostError) *failure {
	return &failure{
		code: connect.CodeAborted, reason: "lock_lost", message: e.Error(),
		metadata: map[string]string{
			"name": string(e.Name), "token": strconv.FormatInt(int64(e.Token), 10), "cause": string(e.Cause),
			"current_holder": string(e.Current.Holder), "current_token": strconv.FormatInt(int64(e.Current.Token), 10), "current_state": string(e.Current.State),
		},
	}
}

func lockNotHeld(e *lock.NotHeldError) *failure {
	return &failure{
		code: connect.CodeAborted, reason: "lock_not_held", message: e.Error(),
		metadata: map[string]string{"name": string(e.Name), "token": strconv.FormatInt(int64(e.Token), 10)},
	}
}
