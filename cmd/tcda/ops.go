package main

import (
	"context"
	"fmt"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// opsCmd groups what operators do through the API.
type opsCmd struct {
	KillSwitch killSwitchCmd `cmd:"" help:"Refuse new runs, or accept them again."`
	Audit      opsAudit      `cmd:"" help:"Print what operators did, newest first."`
}

type killSwitchCmd struct {
	Show    killSwitchShow    `cmd:"" help:"Say whether new runs are accepted."`
	Engage  killSwitchEngage  `cmd:"" help:"Refuse new runs from now on."`
	Release killSwitchRelease `cmd:"" help:"Accept new runs again."`
}

type killSwitchShow struct{ apiFlags }

// Run prints the switch.
func (c *killSwitchShow) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.operations.GetKillSwitch, &contract.GetKillSwitchRequest{})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error {
		_, err := fmt.Fprintln(term.out, escaped(switchText(answer.GetKillSwitch())))
		return err
	})
}

func switchText(k *contract.KillSwitch) string {
	said := "new runs are accepted"
	if k.GetEngaged() {
		said = "new runs are refused"
	}
	if k.GetChangedBy() != "" {
		said += fmt.Sprintf(": %s (%s, %s)", k.GetReason(), k.GetChangedBy(), at(k.GetChangedAt()))
	}
	return said
}

type killSwitchEngage struct{ killSwitchSet }

// Run engages the switch.
func (c *killSwitchEngage) Run(ctx context.Context, term console) error {
	return c.set(ctx, term, true)
}

type killSwitchRelease struct{ killSwitchSet }

// Run releases the switch.
func (c *killSwitchRelease) Run(ctx context.Context, term console) error {
	return c.set(ctx, term, false)
}

type killSwitchSet struct {
	apiFlags
	writeFlags
	Reason string `required:"" placeholder:"TEXT" help:"Why, for the audit log and for those whose runs are refused."`
}

func (c *killSwitchSet) set(ctx context.Context, term console, engaged bool) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.operations.SetKillSwitch, &contract.SetKillSwitchRequest{RequestId: c.request(), Engaged: engaged, Reason: c.Reason})
	if err != nil {
		return err
	}
	return c.printWritten(term, &c.writeFlags, answer, "%s", switchText(answer.GetKillSwitch()))
}

type opsAudit struct {
	apiFlags
	listing
	Actor   string `xor:"of" placeholder:"NAME" help:"Only what this caller did."`
	Subject string `xor:"of" placeholder:"NAME" help:"Only what was done to this."`
}

// Run prints the audit log.
func (c *opsAudit) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.operations.ListAuditLog, &contract.ListAuditLogRequest{Actor: c.Actor, Subject: c.Subject})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetEntries()))
	for i, e := range answer.GetEntries() {
		rows[i] = []string{some(e.GetId()), at(e.GetTime()), e.GetActor(), e.GetAction(), e.GetSubject(), cut(e.GetReason())}
	}
	return c.printList(term, answer, []string{"ID", "TIME", "ACTOR", "ACTION", "SUBJECT", "REASON"}, rows)
}
