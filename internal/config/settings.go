package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// Setting is one setting as people see it.
type Setting struct {
	Name    string // of the flag and of the key in the file: postgres-pool-size
	Env     string // of the environment variable
	Group   string // heading that it stands under
	Help    string
	Default string // as written; empty when there is none
	Value   string // now, with passwords redacted
	Secret  bool   // may carry a password; may be given by a file named in Env + "_FILE"

	tag    *kong.Tag
	target reflect.Value
}

// Settings lists every setting of c, in the struct's order.
func Settings(c *Config) []Setting {
	model, err := kong.New(c, kong.NoDefaultHelp())
	if err != nil {
		panic(fmt.Sprintf("config: the struct's tags are wrong: %v", err)) // a test calls this
	}
	settings := make([]Setting, 0, len(model.Model.Flags))
	for _, flag := range model.Model.Flags {
		settings = append(settings, newSetting(flag))
	}
	return settings
}

func newSetting(flag *kong.Flag) Setting {
	s := Setting{
		Name:    flag.Name,
		Env:     envName(flag.Name),
		Help:    flag.Help,
		Default: flag.Default,
		Value:   text(flag.Target),
		Secret:  isSecret(flag.Target),
		tag:     flag.Tag,
		target:  flag.Target,
	}
	if flag.Group != nil {
		s.Group = flag.Group.Title
	}
	return s
}

func envName(name string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func isSecret(v reflect.Value) bool {
	switch v.Interface().(type) {
	case Secret, URL:
		return true
	default:
		return false
	}
}

// text is a value as it would be written, passwords redacted.
func text(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case []string:
		return strings.Join(value, ",")
	case time.Time:
		return value.Format(time.RFC3339)
	default:
		return fmt.Sprint(value) // Secret, URL and Size speak for themselves
	}
}

// Print writes every setting of c as YAML that can be used as a configuration
// file once the redacted passwords are filled in.
func Print(w io.Writer, c *Config) error {
	values := yaml.Node{Kind: yaml.MappingNode}
	for _, s := range Settings(c) {
		if s.Name == fileSetting {
			continue
		}
		var key, value yaml.Node
		key.SetString(s.Name)
		value.SetString(s.Value)
		values.Content = append(values.Content, &key, &value)
	}
	out, err := yaml.Marshal(&values)
	if err != nil {
		return fmt.Errorf("write settings as YAML: %w", err)
	}
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	return nil
}
