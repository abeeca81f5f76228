package retention

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/yamlfile"
)

// Limits of a file of policies. All policies are asked about each run.
const (
	maxPolicies = 200
	maxName     = 100
)

// Parse reads policies from YAML. The error is yamlfile.Problems.
func Parse(content []byte) ([]Policy, error) {
	p := parser{names: map[string]int{}}
	p.read(content)
	if err := p.Err(); err != nil {
		return nil, err
	}
	return p.policies, nil
}

type parser struct {
	yamlfile.Parser

	policies []Policy
	names    map[string]int // the line that has it
}

func (p *parser) refuse(node *yaml.Node, key, rule string) {
	line := 0
	if node != nil {
		line = node.Line
	}
	p.Refuse(line, key, rule)
}

func (p *parser) read(content []byte) {
	root := p.Document(content)
	if root == nil {
		if p.Refused() == 0 {
			p.refuse(nil, "", "must hold a list named policies")
		}
		return
	}
	fields := p.fields(root, "", "policies")
	list := fields["policies"]
	switch {
	case list == nil:
		if p.Refused() == 0 {
			p.refuse(root, "", "must hold a list named policies")
		}
	case list.Kind != yaml.SequenceNode || len(list.Content) == 0:
		p.refuse(list, "policies", "must be a list of policies, at least one")
	case len(list.Content) > maxPolicies:
		p.refuse(list, "policies", fmt.Sprintf("must be at most %d", maxPolicies))
	default:
		for i, node := range list.Content {
			p.policy(node, fmt.Sprintf("policies[%d]", i))
		}
	}
}

// fields are those of a mapping, which must be known, and each there once.
func (p *parser) fields(node *yaml.Node, key string, known ...string) map[string]*yaml.Node {
	if node.Kind != yaml.MappingNode {
		p.refuse(node, key, "must be a mapping")
		return nil
	}
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i]
		path := strings.TrimPrefix(key+"."+name.Value, ".")
		switch _, twice := fields[name.Value]; {
		case !slices.Contains(known, name.Value):
			p.refuse(name, path, "is not known; want "+strings.Join(known, ", "))
		case twice:
			p.refuse(name, path, "must be given once")
		default:
			fields[name.Value] = node.Content[i+1]
		}
	}
	return fields
}

func (p *parser) policy(node *yaml.Node, key string) {
	fields := p.fields(node, key, "name", "match", "keep", "data")
	if fields == nil {
		return
	}
	policy := Policy{Data: Run}
	policy.Name = p.name(node, fields["name"], key+".name")
	if m := fields["match"]; m != nil {
		policy.Match = p.match(m, key+".match")
	}
	if k := fields["keep"]; k != nil {
		policy.Keep = p.keep(k, key+".keep")
	} else {
		p.refuse(node, key+".keep", "is missing: want age, count or both, or the word forever")
	}
	if d := fields["data"]; d != nil {
		policy.Data = 0
		for _, text := range p.texts(d, key+".data") {
			kind, ok := ParseKind(text.Value)
			if !ok {
				p.refuse(text, key+".data", "must be of "+strings.Join(KindNames(), ", "))
			}
			policy.Data |= kind
		}
	}
	p.policies = append(p.policies, policy)
}

func (p *parser) name(policy, node *yaml.Node, key string) string {
	if node == nil {
		p.refuse(policy, key, "is missing: it is shown wherever something goes by the policy")
		return ""
	}
	if node.Kind != yaml.ScalarNode || node.Value == "" || len(node.Value) > maxName || strings.ContainsFunc(node.Value, func(r rune) bool { return !strconv.IsPrint(r) }) {
		p.refuse(node, key, fmt.Sprintf("must be a text in one line of at most %d bytes", maxName))
		return ""
	}
	if line, taken := p.names[node.Value]; taken {
		p.refuse(node, key, fmt.Sprintf("must be another one than that of line %d", line))
	}
	p.names[node.Value] = node.Line
	return node.Value
}

func (p *parser) match(node *yaml.Node, key string) (m Match) {
	fields := p.fields(node, key, "scenarios", "statuses", "environments", "labels")
	values := func(name string) (texts []string) {
		if list := fields[name]; list != nil {
			for _, text := range p.texts(list, key+"."+name) {
				texts = append(texts, text.Value)
			}
		}
		return texts
	}
	m.Scenarios, m.Environments = values("scenarios"), values("environments")
	if list := fields["statuses"]; list != nil {
		for _, text := range p.texts(list, key+".statuses") {
			status := execution.Status(text.Value)
			if !status.Terminal() {
				p.refuse(text, key+".statuses", "must be of passed, failed, error, cancelled, timeout, interrupted: nothing else has ended")
			}
			m.Statuses = append(m.Statuses, status)
		}
	}
	if labels := fields["labels"]; labels != nil {
		if labels.Kind != yaml.MappingNode || len(labels.Content) == 0 {
			p.refuse(labels, key+".labels", "must be a mapping of names to texts")
			return m
		}
		m.Labels = map[string]string{}
		for i := 0; i+1 < len(labels.Content); i += 2 {
			name, value := labels.Content[i], labels.Content[i+1]
			if value.Kind != yaml.ScalarNode {
				p.refuse(value, key+".labels."+name.Value, "must be a text")
			}
			m.Labels[name.Value] = value.Value
		}
	}
	return m
}

func (p *parser) keep(node *yaml.Node, key string) (k Keep) {
	if node.Kind == yaml.ScalarNode {
		if node.Value != "forever" {
			p.refuse(node, key, "must be age, count or both, or the word forever")
		}
		return k
	}
	fields := p.fields(node, key, "age", "count")
	if fields != nil && len(fields) == 0 {
		p.refuse(node, key, "must be age, count or both, or the word forever")
	}
	if age := fields["age"]; age != nil {
		var err error
		if k.Age, err = ParseAge(age.Value); err != nil || age.Kind != yaml.ScalarNode {
			p.refuse(age, key+".age", "must be a time such as 30d, 12w or 36h, from 1h to 100 years")
		}
	}
	if count := fields["count"]; count != nil {
		n, err := strconv.Atoi(count.Value)
		if err != nil || n < 1 || n > 1_000_000 {
			p.refuse(count, key+".count", "must be a number from 1 to 1000000: so many of the newest runs of each scenario")
		}
		k.Count = n
	}
	return k
}

// texts are the entries of a list of texts, or a text alone.
func (p *parser) texts(node *yaml.Node, key string) []*yaml.Node {
	switch {
	case node.Kind == yaml.ScalarNode && node.Value != "":
		return []*yaml.Node{node}
	case node.Kind != yaml.SequenceNode || len(node.Content) == 0:
		p.refuse(node, key, "must be a list of texts, at least one")
		return nil
	}
	for _, entry := range node.Content {
		if entry.Kind != yaml.ScalarNode || entry.Value == "" {
			p.refuse(entry, key, "must be a list of texts")
			return nil
		}
	}
	return node.Content
}

const maxAge = 100 * 365 * day

var errAge = errors.New("no age")

// ParseAge reads a duration of whole days or weeks (30d, 12w) or as Go writes it.
func ParseAge(text string) (time.Duration, error) {
	age, err := time.ParseDuration(text)
	for unit, length := range map[string]time.Duration{"d": day, "w": 7 * day} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, failed := strconv.ParseUint(number, 10, 16)
			age, err = time.Duration(n)*length, failed
		}
	}
	if err != nil || age < time.Hour || age > maxAge {
		return 0, errAge
	}
	return age, nil
}
