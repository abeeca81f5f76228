package service_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

// usedElsewhere are the settings that Run and the commands read themselves.
var usedElsewhere = map[string]bool{
	"File":                    true, // config's own
	"Service.Roles":           true, // TestRolesApart
	"Service.ShutdownTimeout": true, // TestStopWithinTheDeadline
	"Redis.Enabled":           true, // tcda verify's test
	"HTTP.Listen":             true, // TestWhatCannotWorkIsRefused
	"API.GRPCListen":          true, // TestTheAPIIsServed
	"API.CleartextHTTP2":      true, // TestTheAPIIsServed
	"API.RequestMemory":       true, // TestWhatIsOldIsForgotten
	"Occurrence.Memory":       true, // TestWhatIsOldIsForgotten
	"Log.Level":               true, // tcda serve
	"Log.Format":              true, // tcda serve
	"Tracing.Endpoint":        true, // TestSpansReachTheCollector
	"Tracing.Ratio":           true, // TestSpansReachTheCollector
}

// A setting that is changed changes what some part is given: no setting is
// dead, and none is forgotten when a part gets a new one.
func TestEverySettingReachesAPart(t *testing.T) {
	t.Parallel()
	certificate, key := keyPair(t)
	base := func() *config.Config {
		return settings{}.with("INSTANCE", "a").
			with("KAFKA_TLS", "true").with("KAFKA_TLS_CA_FILE", certificate).with("KAFKA_TLS_CERT_FILE", certificate).with("KAFKA_TLS_KEY_FILE", key).
			with("KAFKA_SASL_MECHANISM", "plain").with("KAFKA_SASL_USER", "u").with("KAFKA_SASL_PASSWORD", "p").load(t)
	}
	before := given(t, base())
	if kafka, err := service.Kafka(base()); err != nil || kafka.TLS.RootCAs == nil || len(kafka.TLS.Certificates) != 1 {
		t.Fatalf("TLS of Kafka: %+v, error %v", kafka.TLS, err)
	}
	for _, path := range paths("", reflect.TypeFor[config.Config]()) {
		cfg := base()
		change(t, path, field(reflect.ValueOf(cfg).Elem(), path))
		if changed := given(t, cfg) != before; changed == usedElsewhere[path] {
			t.Errorf("%s: changes what a part is given %t, used elsewhere %t", path, changed, usedElsewhere[path])
		}
	}
}

// What is wrong with the file of policies is said with its name.
func TestTheFileOfPoliciesIsNamed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, c := range map[string]struct{ content, says string }{
		"none.yaml":  {"", "no such file"},
		"yaml.yaml":  {"policies: [", "must be YAML: "},
		"field.yaml": {"policies: []\nrules: []\n", "rules: "},
		"two.yaml":   {"policies: []\n---\npolicies: []\n", "must be one YAML document"},
		"large.yaml": {strings.Repeat("# nothing\n", 1<<20/10+1), "more than 1048576 bytes"},
	} {
		path := filepath.Join(folder, name)
		if c.content != "" {
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cfg := settings{}.load(t)
		cfg.Retention.File = path
		if _, err := service.Retention(cfg); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q and the path", name, err, c.says)
		}
	}
}

// Nobody may let occurrences be forgotten that would be made again.
func TestOccurrencesAreRememberedLongEnough(t *testing.T) {
	t.Parallel()
	for memory, want := range map[time.Duration]bool{scenario.Remembered - time.Second: false, scenario.Remembered: true} {
		cfg := settings{}.load(t)
		cfg.Occurrence.Memory = memory
		if err := cfg.Validate(); (err == nil) != want {
			t.Errorf("occurrence-memory %v: %v", memory, err)
		}
	}
}

// keyPair writes the certificate and the key of a test server to files.
func keyPair(t testing.TB) (certificate, key string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	private, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: server.Certificate().Raw},
		key:         {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

// given is all that the parts are given, as text; a setting that names a file
// shows itself by the error.
func given(t testing.TB, cfg *config.Config) string {
	t.Helper()
	instance, err := service.Instance(cfg)
	if err != nil {
		t.Fatal(err)
	}
	kafka, err := service.Kafka(cfg)
	rules, unread := service.Retention(cfg)
	return fmt.Sprint(service.Pruning(cfg, rules, instance), unread, service.Report(cfg), service.Rollups(cfg)) + fmt.Sprintf("%+v %+v %+v %+v %+v %+v %+v %+v %+v %+v %v %t %+v %+v", service.Postgres(cfg), service.PostgresOfAPI(cfg), service.Migrations(cfg), service.Redis(cfg),
		service.EventLimits(cfg), service.API(cfg), service.Liveness(cfg), service.Ingest(cfg, instance), service.Outbox(cfg, instance), kafka.SASL, err, kafka.TLS != nil, withoutPointers(kafka), service.Access(cfg))
}

// withoutPointers leaves out what prints as an address.
func withoutPointers(v any) string {
	var b strings.Builder
	s := reflect.ValueOf(v)
	for i := range s.NumField() {
		if f := s.Field(i); f.Kind() != reflect.Pointer && s.Type().Field(i).Name != "Logger" {
			fmt.Fprintf(&b, "%v ", f.Interface())
		}
	}
	return b.String()
}

// paths are the exported fields of a struct, nested ones by their path.
func paths(under string, of reflect.Type) []string {
	var out []string
	for i := range of.NumField() {
		f := of.Field(i)
		name := strings.TrimPrefix(under+"."+f.Name, ".")
		switch {
		case !f.IsExported():
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
			out = append(out, paths(name, f.Type)...)
		default:
			out = append(out, name)
		}
	}
	return out
}

func field(v reflect.Value, path string) reflect.Value {
	for name := range strings.SplitSeq(path, ".") {
		v = v.FieldByName(name)
	}
	return v
}

// change gives a field another value.
func change(t testing.TB, path string, v reflect.Value) {
	t.Helper()
	switch value := v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(value.Add(time.Hour)))
		return
	case []string:
		v.Set(reflect.ValueOf(append(value, "other:1")))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() / 2)
	case reflect.String:
		v.SetString(v.String() + "x")
	default:
		t.Fatalf("%s is a %s: say how to change that", path, v.Type())
	}
}
