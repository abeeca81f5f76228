package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd completes words in shells. The scripts ask the program itself,
// so that what they offer is what it understands.
type completionCmd struct {
	Bash  completionScript `cmd:"" help:"Print the script for bash: source <(tcda completion bash)"`
	Zsh   completionScript `cmd:"" help:"Print the script for zsh: source <(tcda completion zsh)"`
	Fish  completionScript `cmd:"" help:"Print the script for fish: tcda completion fish | source"`
	Words completionWords  `cmd:"" hidden:"" help:"Print what the last of the words may become, and what it means: what the scripts ask."`
}

//go:embed completion
var completionScripts embed.FS

type completionScript struct{}

// Help is what --help says beyond the settings.
func (completionScript) Help() string { return "Exit codes: 0 printed, 2 wrong command line." }

// Run prints the script.
func (completionScript) Run(ctx *kong.Context, term console) error {
	shell := ctx.Selected().Name
	script, err := completionScripts.ReadFile("completion/tcda." + shell)
	if err != nil {
		return fmt.Errorf("read the script for %s: %w", shell, err)
	}
	_, err = term.out.Write(script)
	return err
}

type completionWords struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"What has been typed after the program's name."`
}

// Help is what --help says beyond the settings.
func (*completionWords) Help() string { return "Exit codes: 0 printed, 2 wrong command line." }

// Run prints candidates; nothing where files may be meant.
func (c *completionWords) Run(ctx *kong.Context, term console) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, candidate := range candidates(ctx.Model, words) {
		if _, err := fmt.Fprintf(term.out, "%s\t%s\n", candidate.word, strings.ReplaceAll(candidate.help, "\n", " ")); err != nil {
			return err
		}
	}
	return nil
}

// candidate is a word that may be typed.
type candidate struct{ word, help string }

// typed is what the words before the last have come to.
type typed struct {
	node       *kong.Node
	flag       *kong.Flag // that waits for its value; nil: none
	positional int        // arguments so far
	noFlags    bool       // after --
}

// candidates are what the last word may become.
func candidates(app *kong.Application, words []string) []candidate {
	at, last := typed{node: app.Node}, ""
	if len(words) > 0 {
		last = words[len(words)-1]
		for _, w := range words[:len(words)-1] {
			at.take(w)
		}
	}
	if last == "=" && at.flag != nil { // bash splits words there
		last = ""
	}
	var all []candidate
	switch name, value, hasValue := strings.Cut(last, "="); {
	case at.flag != nil:
		all = values(at.flag.Value, "")
	case strings.HasPrefix(last, "-") && !at.noFlags && hasValue:
		if f := at.find(name); f != nil {
			return beginningWith(values(f.Value, name+"="), name+"="+value)
		}
	case strings.HasPrefix(last, "-") && !at.noFlags:
		all = at.flags(last)
	case len(at.node.Children) > 0:
		for _, child := range at.node.Children {
			if !child.Hidden {
				all = append(all, candidate{child.Name, child.Help})
			}
		}
	case at.positional < len(at.node.Positional):
		all = values(at.node.Positional[at.positional], "")
	}
	return beginningWith(all, last)
}

// take goes on by one word.
func (t *typed) take(word string) {
	switch {
	case t.flag != nil:
		if word != "=" { // bash splits words there
			t.flag = nil
		}
	case word == "--":
		t.noFlags = true
	case strings.HasPrefix(word, "-") && !t.noFlags:
		name, _, hasValue := strings.Cut(word, "=")
		if f := t.find(name); f != nil && !hasValue && !f.IsBool() && !f.IsCounter() {
			t.flag = f
		}
	default:
		for _, child := range t.node.Children {
			if child.Name == word || slices.Contains(child.Aliases, word) {
				t.node = child
				return
			}
		}
		t.positional++
	}
}

// find is the flag of that name, with its dashes; nil when there is none.
func (t *typed) find(name string) *kong.Flag {
	for _, group := range t.node.AllFlags(false) {
		for _, f := range group {
			if "--"+f.Name == name || f.Short != 0 && "-"+string(f.Short) == name {
				return f
			}
		}
	}
	return nil
}

// flags are the flags that can be given. The many settings of the service are
// offered to a command of its own only when their beginning has been typed.
func (t *typed) flags(begun string) []candidate {
	var all []candidate
	for n := t.node; n != nil; n = n.Parent {
		if n.Parent == nil && callsAPI(t.node) && strings.TrimLeft(begun, "-") == "" {
			break
		}
		for _, f := range n.Flags {
			if f.Hidden {
				continue
			}
			all = append(all, candidate{"--" + f.Name, f.Help})
			if f.Tag.Negatable != "" {
				all = append(all, candidate{"--no-" + f.Name, f.Help})
			}
		}
	}
	return all
}

// callsAPI tells whether a command calls the API, so that the settings of the
// service do not concern it.
func callsAPI(n *kong.Node) bool {
	return n != nil && slices.ContainsFunc(n.Flags, func(f *kong.Flag) bool { return f.Name == "api" })
}

// values are the words that a flag or an argument may be, if they are known.
func values(v *kong.Value, before string) []candidate {
	known := v.Enum
	if v.Tag.Has("values") { // where the service judges
		known = v.Tag.Get("values")
	}
	var all []candidate
	for word := range strings.SplitSeq(known, ",") {
		if word != "" {
			all = append(all, candidate{before + word, ""})
		}
	}
	return all
}

func beginningWith(all []candidate, begun string) []candidate {
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.word, begun) })
}
