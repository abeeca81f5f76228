package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

type migrateCmd struct {
	Up     migrateUp     `cmd:"" help:"Apply the migrations that the database does not have yet."`
	Status migrateStatus `cmd:"" help:"Print which migrations the database has; exit 1 unless it has exactly this program's."`
	Diff   migrateDiff   `cmd:"" help:"Print, in Markdown, what leads from the migrations, or another schema file, to schema.sql."`
	Lint   migrateLint   `cmd:"" help:"Print what is dangerous in the migrations; exit 1 if anything is."`
	Check  migrateCheck  `cmd:"" help:"Fail if schema.sql and the migrations make different schemas, or atlas.sum does not fit."`
	New    migrateNew    `cmd:"" help:"Write the migration that leads from the present ones to schema.sql."`
	Hash   migrateHash   `cmd:"" help:"Renew atlas.sum after a migration was edited by hand, before it is applied anywhere."`
}

type migrateUp struct {
	Baseline    string        `placeholder:"VERSION" help:"Record the migrations up to this version as applied, without running them: for a database that has their tables already."`
	LockTimeout time.Duration `default:"1m" help:"How long to wait while another program migrates the database."`
}

// Run applies pending migrations.
func (c *migrateUp) Run(ctx context.Context, cfg *config.Config, term console) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	opts := service.Migrations(cfg)
	opts.Baseline, opts.LockTimeout = c.Baseline, c.LockTimeout
	opts.Progress = func(step pgmigrate.Step) {
		fmt.Fprintf(term.out, "applying %s %s (%d statements)\n", step.Version, step.Description, step.Statements)
	}
	applied, err := pgmigrate.Up(ctx, cfg.Postgres.URL.Reveal(), opts)
	if err != nil {
		return err
	}
	fmt.Fprintf(term.out, "%d migrations applied, the database is current\n", len(applied))
	return nil
}

type migrateStatus struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run prints the state of the database.
func (c *migrateStatus) Run(ctx context.Context, cfg *config.Config, term console) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	report, err := pgmigrate.Status(ctx, cfg.Postgres.URL.Reveal(), service.Migrations(cfg))
	if err != nil {
		return err
	}
	if c.JSON {
		if err := writeJSON(term.out, report); err != nil {
			return err
		}
		if report.Err() != nil {
			return errReported
		}
		return nil
	}
	for _, done := range report.Applied {
		fmt.Fprintf(term.out, "%s  %s  %s at %s by %s\n", done.Version, done.Description, done.Kind, done.At.Format(time.RFC3339), done.Operator)
	}
	for _, version := range report.Pending {
		fmt.Fprintf(term.out, "%s  pending\n", version)
	}
	return report.Err()
}

// devServer is where schemas are tried out.
type devServer struct {
	DevURL string `name:"dev-url" placeholder:"URL" help:"PostgreSQL server on which scratch databases are created and dropped. Without it a private one runs for as long as the command does."`
}

// use calls do with a server for scratch databases.
func (s devServer) use(ctx context.Context, progress io.Writer, do func(pgmigrate.Scratch) error) (err error) {
	if s.DevURL != "" {
		return do(pgmigrate.Scratch{URL: s.DevURL})
	}
	dir, err := os.MkdirTemp("", "tcda-migrate-")
	if err != nil {
		return fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := pgserver.Start(ctx, pgserver.Options{DataDir: dir, Progress: progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	return do(pgmigrate.Scratch{URL: server.URL("postgres")})
}

type migrateDiff struct {
	devServer
	From string `placeholder:"FILE" help:"Start from this schema file instead of the migrations; - reads it from standard input."`
}

// Run prints the difference and the plan.
func (c *migrateDiff) Run(ctx context.Context, term console) error {
	return c.use(ctx, term.err, func(server pgmigrate.Scratch) error {
		plan, err := c.plan(ctx, server, term.in)
		if err != nil {
			return err
		}
		_, err = io.WriteString(term.out, plan.Markdown())
		return err
	})
}

func (c *migrateDiff) plan(ctx context.Context, server pgmigrate.Scratch, stdin io.Reader) (pgmigrate.Plan, error) {
	var (
		from []byte
		err  error
	)
	switch c.From {
	case "":
		return pgmigrate.Diff(ctx, server, schema.Migrations(), schema.Desired)
	case "-":
		from, err = io.ReadAll(stdin)
	default:
		from, err = os.ReadFile(c.From)
	}
	if err != nil {
		return pgmigrate.Plan{}, fmt.Errorf("read the schema to start from: %w", err)
	}
	return pgmigrate.DiffText(ctx, server, string(from), schema.Desired)
}

type migrateLint struct {
	devServer
	Latest int  `default:"-1" help:"Look at so many of the latest migrations; -1 is all."`
	JSON   bool `name:"json" help:"Print a JSON array."`
}

// Run prints the findings.
func (c *migrateLint) Run(ctx context.Context, term console) error {
	return c.use(ctx, term.err, func(server pgmigrate.Scratch) error {
		findings, err := pgmigrate.Lint(ctx, server, schema.Migrations(), c.Latest)
		if err != nil {
			return err
		}
		if c.JSON {
			err = writeJSON(term.out, append([]pgmigrate.Finding{}, findings...))
		} else {
			for _, finding := range findings {
				fmt.Fprintln(term.out, finding)
			}
			if len(findings) == 0 {
				fmt.Fprintln(term.out, c.clean())
			}
		}
		if err == nil && len(findings) > 0 {
			return errReported
		}
		return err
	})
}

// clean says that nothing was found, and in how much.
func (c *migrateLint) clean() string {
	switch {
	case c.Latest < 0:
		return "nothing dangerous in any migration"
	case c.Latest == 0:
		return "no migration to look at"
	default:
		return fmt.Sprintf("nothing dangerous in the latest migrations looked at: %d", c.Latest)
	}
}

type migrateCheck struct {
	devServer
}

// Run compares schema.sql with the migrations.
func (c *migrateCheck) Run(ctx context.Context, term console) error {
	return c.use(ctx, term.err, func(server pgmigrate.Scratch) error {
		err := pgmigrate.Check(ctx, server, schema.Migrations(), schema.Desired)
		var drift *pgmigrate.DriftError
		if errors.As(err, &drift) {
			fmt.Fprint(term.out, drift.Plan.Markdown())
			return fmt.Errorf("%w; make migrate-new name=what_changed writes the migration", err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(term.out, "schema.sql and the migrations make the same schema")
		return nil
	})
}

type migrateNew struct {
	devServer
	Dir        string `default:"schema/migrations" help:"Folder of the migrations."`
	SchemaFile string `default:"schema/schema.sql" help:"The desired schema."`
	Rewrite    bool   `help:"Replace all migrations by one. Only before the first release."`
	Name       string `arg:"" optional:"" help:"What changes, in lower-case words joined by underscores."`
}

// Run writes the migration.
func (c *migrateNew) Run(ctx context.Context, term console) error {
	if c.Rewrite == (c.Name != "") {
		return errors.New("give either the name of the change, or --rewrite")
	}
	desired, err := os.ReadFile(c.SchemaFile)
	if err != nil {
		return fmt.Errorf("read the desired schema: %w", err)
	}
	return c.use(ctx, term.err, func(server pgmigrate.Scratch) error {
		write := func() (string, pgmigrate.Plan, error) {
			if c.Rewrite {
				return pgmigrate.Rewrite(ctx, server, c.Dir, string(desired))
			}
			return pgmigrate.New(ctx, server, c.Dir, c.Name, string(desired))
		}
		path, plan, err := write()
		if errors.Is(err, pgmigrate.ErrNoChange) {
			fmt.Fprintln(term.out, err)
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(term.out, "%s: %d statements; read them before you commit\n", path, len(plan.Statements))
		if len(plan.Rest) > 0 {
			fmt.Fprintf(term.out, "\nNo statement was found for these. Add them by hand, then run tcda migrate hash:\n\n%s", plan.RestText())
			return errReported
		}
		return nil
	})
}

type migrateHash struct {
	Dir string `default:"schema/migrations" help:"Folder of the migrations."`
}

// Run renews the checksums.
func (c *migrateHash) Run() error { return pgmigrate.Hash(c.Dir) }
