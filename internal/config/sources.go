package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

const fileSetting = "config" // the setting that names the file with the others

// Load reads the environment and the file that it names, without flags, and
// validates the whole. The error, if any, is Problems.
func Load(lookupEnv func(string) (string, bool)) (*Config, error) {
	var line struct {
		Config Config `embed:""`
	}
	c := &line.Config
	parser, err := kong.New(&line, append(c.Sources(lookupEnv), kong.NoDefaultHelp())...)
	if err != nil {
		return nil, fmt.Errorf("describe settings: %w", err)
	}
	if _, err := parser.Parse(nil); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// Sources are the options with which kong fills c, embedded in a command
// line, from the environment and the file too: a flag wins over the
// environment, that over the file, that over the default. An empty variable
// counts as not set. A value that cannot be read is kept as a Problem, so that
// Validate reports it together with all others.
func (c *Config) Sources(lookupEnv func(string) (string, bool)) []kong.Option {
	s := &sources{config: c, env: lookupEnv}
	return []kong.Option{
		kong.WithBeforeResolve(s.read),
		kong.Resolvers(kong.ResolverFunc(s.resolve)),
		kong.ValueFormatter(func(v *kong.Value) string {
			if variable := clientVariable(v); variable != "" {
				return v.Help + " ($" + variable + ")"
			}
			if _, ours := s.ours()[v.Name]; !ours {
				return kong.DefaultHelpValueFormatter(v)
			}
			return v.Help + " ($" + envName(v.Name) + ")"
		}),
	}
}

type sources struct {
	config *Config
	env    func(string) (string, bool)

	names  map[string]Setting
	values map[string]string // what environment and file say, only if it can be read
}

func (s *sources) ours() map[string]Setting {
	if s.names == nil {
		s.names = make(map[string]Setting)
		for _, setting := range Settings(s.config) {
			s.names[setting.Name] = setting
		}
	}
	return s.names
}

// read gathers what environment and file say, before kong resolves anything.
func (s *sources) read(ctx *kong.Context) error {
	if s.values != nil { // kong calls hooks once for every command on the path
		return nil
	}
	s.values, s.config.unread = make(map[string]string), nil

	var given map[string]fileValue
	if path := s.filePath(ctx); path != "" {
		var problems []Problem
		given, problems = readFile(path, s.ours())
		s.config.unread = append(s.config.unread, problems...)
	}
	for _, flag := range ctx.Flags() {
		setting, ours := s.ours()[flag.Name]
		if !ours {
			continue
		}
		value, from, err := s.lookup(setting)
		if from == "" {
			value, from = given[flag.Name].text, given[flag.Name].place
		}
		if from == "" {
			continue
		}
		if err == nil {
			err = decode(flag, value)
		}
		if err != nil {
			s.config.unread = append(s.config.unread, Problem{
				Setting: setting.Name, From: from, Value: shown(setting, value), Rule: err.Error(),
			})
			continue
		}
		s.values[flag.Name] = value
	}
	return nil
}

// filePath is the configuration file that flags or the environment name.
func (s *sources) filePath(ctx *kong.Context) string {
	for _, trace := range ctx.Path {
		if trace.Flag != nil && trace.Flag.Name == fileSetting {
			return fmt.Sprint(ctx.FlagValue(trace.Flag))
		}
	}
	path, _ := s.env(envName(fileSetting))
	return path
}

// lookup is what the environment says about a setting, and where; from is
// empty when it says nothing.
func (s *sources) lookup(setting Setting) (value, from string, err error) {
	value, _ = s.env(setting.Env)
	if value != "" {
		from = "$" + setting.Env
	}
	if !setting.Secret {
		return value, from, nil
	}
	path, _ := s.env(setting.Env + "_FILE")
	if path == "" {
		return value, from, nil
	}
	if from != "" {
		return value, from, fmt.Errorf("must not be given together with $%s_FILE", setting.Env)
	}
	from = "$" + setting.Env + "_FILE"
	content, err := os.ReadFile(path)
	if err != nil {
		return "", from, fmt.Errorf("must name a readable file: %w", err)
	}
	return strings.TrimRight(string(content), "\r\n"), from, nil
}

func (s *sources) resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if _, ours := s.ours()[flag.Name]; !ours {
		return nil, nil //nolint:nilnil // kong's way to say that a resolver has no value
	}
	if value, ok := s.values[flag.Name]; ok {
		return value, nil
	}
	return nil, nil //nolint:nilnil // as above
}

// decode tries value on a copy of the flag's field.
func decode(flag *kong.Flag, value string) error {
	probe := reflect.New(flag.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(value, kong.FlagValueToken)
	return flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, probe)
}

func shown(s Setting, value string) string {
	if s.Secret {
		return Redacted
	}
	return value
}
