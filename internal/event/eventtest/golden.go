// Package eventtest gives tests the golden events of the contract, as they are
// on the wire.
package eventtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Golden is the golden event of a type in all four forms: binary and structured
// mode, each in JSON and protobuf. The first is binary JSON.
func Golden(t testing.TB, typ fact.Type) []kafkarecord.Record {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(t), "schema", "golden", string(typ)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Records []struct {
			Key     string            `json:"key"`
			Headers map[string]string `json:"headers"`
			Text    string            `json:"value"`
			Bytes   []byte            `json:"value_base64"`
		} `json:"records"`
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Records) != 4 {
		t.Fatalf("%d golden records of %s, want 4", len(golden.Records), typ)
	}
	records := make([]kafkarecord.Record, len(golden.Records))
	for i, g := range golden.Records {
		r := kafkarecord.Record{Key: []byte(g.Key), Value: g.Bytes}
		if g.Text != "" {
			r.Value = []byte(g.Text)
		}
		for name, value := range g.Headers {
			r.Headers = append(r.Headers, kafkarecord.Header{Key: name, Value: []byte(value)})
		}
		records[i] = r
	}
	return records
}

// repository is the root of the module, which holds the folder of the test.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the test runs outside the module")
		}
		dir = filepath.Dir(dir)
	}
}
