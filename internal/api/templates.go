package api

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

func (s *scenarios) PublishTemplate(ctx context.Context, r *connect.Request[contract.PublishTemplateRequest]) (*connect.Response[contract.PublishTemplateResponse], error) {
	return once(ctx, s.Commands, r, "template", func(ctx context.Context, tx *command.Tx, m *contract.PublishTemplateRequest) (*contract.PublishTemplateResponse, error) {
		p, err := tx.PublishTemplate(ctx, m.GetTemplate())
		if err != nil {
			return nil, err
		}
		return &contract.PublishTemplateResponse{Version: versionMessage(p.Version, false), NewVersion: p.New}, nil
	})
}

func (s *scenarios) GetTemplate(ctx context.Context, r *connect.Request[contract.GetTemplateRequest]) (*connect.Response[contract.GetTemplateResponse], error) {
	id := scenario.TemplateID(r.Msg.GetTemplateId())
	found, err := s.Store.TemplateByID(ctx, id)
	if err != nil {
		return nil, orNotFound(err, "template", string(id))
	}
	v, err := s.template(ctx, &contract.TemplateUse{TemplateId: r.Msg.GetTemplateId(), Version: r.Msg.GetVersion()})
	if err != nil {
		return nil, err
	}
	answer := &contract.GetTemplateResponse{Template: templateMessage(found), Version: versionMessage(v.Version, true)}
	for i := range v.Merged.Parameters {
		answer.Parameters = append(answer.Parameters, parameterMessage(&v.Merged.Parameters[i]))
	}
	return connect.NewResponse(answer), nil
}

func (s *scenarios) ListTemplates(ctx context.Context, r *connect.Request[contract.ListTemplatesRequest]) (*connect.Response[contract.ListTemplatesResponse], error) {
	l := listing[pgstore.NamedTemplate, scenario.TemplateID, *contract.Template]{
		read:    s.Store.TemplatesAfter,
		place:   func(t *pgstore.NamedTemplate) scenario.TemplateID { return t.ID },
		message: func(t *pgstore.NamedTemplate) *contract.Template { return templateMessage(*t) },
		bite:    bigBite,
	}
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListTemplatesResponse{Templates: found, NextPageToken: next}), nil
}

func (s *scenarios) RenderTemplate(ctx context.Context, r *connect.Request[contract.RenderTemplateRequest]) (*connect.Response[contract.RenderTemplateResponse], error) {
	use := r.Msg.GetTemplate()
	v, err := s.template(ctx, use)
	if err != nil {
		return nil, err
	}
	parameters, err := rawObject(use.GetParameters())
	if err != nil {
		return nil, invalid("template.parameters", err.Error())
	}
	resolved, problems := v.Merged.Instantiate(parameters, s.Limits)
	if len(problems) > 0 {
		return nil, &command.Rejected{Rejection: problems.Reject(fact.ReasonParameters, "template.parameters")}
	}
	return connect.NewResponse(&contract.RenderTemplateResponse{Definition: resolved.Text, TemplateVersion: v.Version.Number}), nil
}

func (s *scenarios) InstantiateTemplate(ctx context.Context, r *connect.Request[contract.InstantiateTemplateRequest]) (*connect.Response[contract.InstantiateTemplateResponse], error) {
	return once(ctx, s.Commands, r, "scenario", func(ctx context.Context, tx *command.Tx, m *contract.InstantiateTemplateRequest) (*contract.InstantiateTemplateResponse, error) {
		of := m.GetScenario()
		made, err := tx.InstantiateTemplate(ctx, &contract.ScenarioPublished{
			ScenarioId: of.GetScenarioId(), ScenarioType: of.GetScenarioType(), Category: of.GetCategory(), ServicesUnderTest: of.GetServicesUnderTest(),
			ExpectedOutcomes: of.GetExpectedOutcomes(), Tags: of.GetTags(), Author: of.GetAuthor(), ChangeNote: of.GetChangeNote(),
			Template: proto.CloneOf(m.GetTemplate()),
		})
		if err != nil {
			return nil, err
		}
		version := versionMessage(made.Version, false)
		version.Definition = made.Definition
		return &contract.InstantiateTemplateResponse{Version: version, NewVersion: made.New, TemplateVersion: made.TemplateVersion}, nil
	})
}

// template is the version of a template that must be there.
func (s *scenarios) template(ctx context.Context, use *contract.TemplateUse) (pgstore.TemplateVersion, error) {
	v, err := s.Store.Template(ctx, scenario.TemplateID(use.GetTemplateId()), use.GetVersion(), s.Limits)
	var rejection *fact.Rejection
	switch {
	case errors.Is(err, pgstore.ErrNotFound):
		if _, err := s.Store.TemplateByID(ctx, scenario.TemplateID(use.GetTemplateId())); err != nil {
			return v, orNotFound(err, "template", use.GetTemplateId())
		}
		return v, &failure{code: connect.CodeNotFound, reason: "version_not_found", message: "the template's version, or a template that it extends, is not known"}
	case errors.As(err, &rejection):
		return v, &command.Rejected{Rejection: rejection}
	}
	return v, err
}

func templateMessage(t pgstore.NamedTemplate) *contract.Template {
	return &contract.Template{
		TemplateId: string(t.ID), CurrentVersion: t.CurrentNumber, CurrentHash: t.Current.String(), Versions: t.VersionCount,
		Author: t.Author, ChangeNote: t.ChangeNote, PublishedAt: moment(t.PublishedAt), CreatedAt: moment(t.CreatedAt),
	}
}

func parameterMessage(p *scenario.Parameter) *contract.TemplateParameter {
	m := &contract.TemplateParameter{Name: p.Name, Type: string(p.Type), Required: p.Required, Default: textOf(p.Default), Min: textOf(p.Min), Max: textOf(p.Max), Values: p.Values}
	return m
}

func textOf(v *scenario.Value) *string {
	if v == nil {
		return nil
	}
	text := v.String()
	return &text
}
