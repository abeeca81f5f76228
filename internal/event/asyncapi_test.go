package event_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

const asyncAPI = "../../schema/asyncapi.yaml"

type reference struct {
	Ref string `yaml:"$ref"`
}

type asyncDocument struct {
	Version  string `yaml:"asyncapi"`
	Channels map[string]struct {
		Address  string               `yaml:"address"`
		Messages map[string]reference `yaml:"messages"`
	} `yaml:"channels"`
	Operations map[string]struct {
		Action  string    `yaml:"action"`
		Channel reference `yaml:"channel"`
	} `yaml:"operations"`
	Components struct {
		Messages map[string]struct {
			Name    string    `yaml:"name"`
			Payload reference `yaml:"payload"`
			Headers struct {
				Properties map[string]struct {
					Enum []string `yaml:"enum"`
				} `yaml:"properties"`
			} `yaml:"headers"`
		} `yaml:"messages"`
	} `yaml:"components"`
}

func TestAsyncAPINamesEveryTypeAndTopic(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(asyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	var document asyncDocument
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	if document.Version != "3.0.0" {
		t.Errorf("version %q, want 3.0.0", document.Version)
	}

	topics := map[string]string{}
	for name, channel := range document.Channels {
		topics[channel.Address] = name
	}
	for _, topic := range []string{"scenarios", "executions", "commands", "reports", "dead-letters"} {
		if topics["test-coordination."+topic] == "" {
			t.Errorf("no channel for topic %q", topic)
		}
	}
	for name, operation := range document.Operations {
		channel := strings.TrimPrefix(operation.Channel.Ref, "#/channels/")
		if _, ok := document.Channels[channel]; !ok {
			t.Errorf("operation %s is on %q, which is no channel", name, operation.Channel.Ref)
		}
		if in := channel == "scenarios" || channel == "executions"; in != (operation.Action == "receive") {
			t.Errorf("operation %s: action %q on %s", name, operation.Action, channel)
		}
	}

	for _, typ := range slices.Concat(fact.Types(), fact.OutboundTypes()) {
		channel := document.Channels[channelOf(typ)]
		found := false
		for name, ref := range channel.Messages {
			m, ok := document.Components.Messages[name]
			if !ok || ref.Ref != "#/components/messages/"+name {
				t.Errorf("channel %s names message %q, which is none", channel.Address, name)
			}
			if m.Name != string(typ) {
				continue
			}
			found = true
			checkSchema(t, m.Payload.Ref)
		}
		if !found {
			t.Errorf("channel %s does not carry %s", channel.Address, typ)
		}
	}

	var reasons []string
	for _, reason := range fact.Reasons() {
		reasons = append(reasons, string(reason))
	}
	if got := document.Components.Messages["DeadLetter"].Headers.Properties["tcda-reason"].Enum; !slices.Equal(got, reasons) {
		t.Errorf("reasons %v, want %v", got, reasons)
	}
}

// channelOf is where a type is sent.
func channelOf(typ fact.Type) string {
	switch {
	case typ == fact.TypeSettled, typ == fact.TypeReportPublished:
		return "reports"
	case slices.Contains(fact.OutboundTypes(), typ):
		return "commands"
	case typ.OfExecution():
		return "executions"
	default:
		return "scenarios"
	}
}

// checkSchema reads the JSON Schema that a message's payload refers to.
func checkSchema(t *testing.T, ref string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(asyncAPI), ref))
	if err != nil {
		t.Errorf("payload: %v", err)
		return
	}
	var schema struct {
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Errorf("%s: %v", ref, err)
	}
	if schema.ID != filepath.Base(ref) {
		t.Errorf("%s has the id %q", ref, schema.ID)
	}
}
