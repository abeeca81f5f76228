package config_test

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
)

// Every variable of ours in compose.yaml is one that is read, and together
// those of each service make a valid configuration.
func TestComposeFileMatchesTheSettings(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal(content, &compose); err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, s := range config.Settings(new(config.Config)) {
		known[s.Env] = true
		known[s.Env+"_FILE"] = s.Secret
	}
	for _, service := range []string{"tcda", "migrate"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			variables := compose.Services[service].Environment
			if len(variables) == 0 {
				t.Fatal("the service has no environment")
			}
			for name := range variables {
				if strings.HasPrefix(name, config.EnvPrefix) && !known[name] {
					t.Errorf("%s is no setting", name)
				}
			}
			c, err := config.Load(func(name string) (string, bool) {
				value, set := variables[name]
				return value, set
			})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(c.Postgres.URL.Reveal(), "@postgres:") || c.Kafka.Brokers[0] != "kafka:19092" {
				t.Errorf("the service does not use the stack's own servers: %s, %v", c.Postgres.URL, c.Kafka.Brokers)
			}
		})
	}
	for name, service := range compose.Services {
		for variable := range service.Environment {
			if strings.HasPrefix(variable, config.EnvPrefix) && name != "tcda" && name != "migrate" {
				t.Errorf("service %s has %s, which this test does not look at", name, variable)
			}
		}
	}
}
