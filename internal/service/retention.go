package service

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/yamlfile"
)

// Retention is what the configuration says about what is kept: the policies of the
// file, then those of the settings in days, of which that of whole runs comes last.
// The error names the file, and is yamlfile.Problems where it could be read and not used.
func Retention(cfg *config.Config) (retention.Rules, error) {
	c := cfg.Retention
	rules := retention.Rules{Quiet: c.Quiet, Audit: time.Duration(c.AuditDays) * 24 * time.Hour}
	if c.File != "" {
		var err error
		if rules.Policies, err = yamlfile.Load(c.File, retention.Parse); err != nil {
			return rules, err
		}
	}
	for _, s := range []struct {
		setting string
		data    retention.Kinds
		days    int
	}{
		{"logs-retention-days", retention.Logs, c.LogsDays},
		{"snapshots-retention-days", retention.Snapshots, c.SnapshotsDays},
		{"events-retention-days", retention.Events, c.EventsDays},
		{"results-retention-days", retention.Results, c.ResultsDays},
		{"reports-retention-days", retention.Reports, c.ReportsDays},
		{"retention-days", retention.Run, c.Days},
	} {
		rules.Policies = append(rules.Policies, retention.ForDays(s.setting, s.data, s.days)...)
	}
	return rules, nil
}

// Pruning is what the configuration says to the pruner; actor is who it is in the
// audit log.
func Pruning(cfg *config.Config, rules retention.Rules, actor string) pruning.Config {
	return pruning.Config{Rules: rules, Actor: actor, Interval: cfg.Retention.Interval}
}

// openRetention makes the pruner, and says what is kept.
func (s *service) openRetention(registry prometheus.Registerer) error {
	rules, err := Retention(s.cfg)
	if err != nil {
		return fmt.Errorf("retention-file: %w", err)
	}
	reasons := make([]string, 0, len(pruning.KeptReasons()))
	for _, r := range pruning.KeptReasons() {
		reasons = append(reasons, string(r))
	}
	metrics, err := telemetry.NewRetentionMetrics(registry, retention.KindNames(), reasons)
	if err != nil {
		return err
	}
	for i := range rules.Policies {
		s.log.Info().Str("policy", rules.Policies[i].Name).Msg("retention: " + rules.Policies[i].Describe())
	}
	switch {
	case !rules.Any():
		s.log.Info().Msg("retention: nothing is removed, for no policy is set")
	case rules.Audit > 0:
		s.log.Info().Msg("retention: entries of the audit log are kept for " + retention.Age(rules.Audit))
	}
	s.pruner = pruning.New(Pruning(s.cfg, rules, "/tcda/"+s.instance), pruning.Parts{Store: s.store, Metrics: metrics, Log: s.log})
	return nil
}
