package pgserver_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
)

func TestFindPrefersTheNewest(t *testing.T) {
	// On macOS the folder of temporary files lies behind a link.
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	newest, older, tooOld, clientOnly, links := filepath.Join(root, "newest"), filepath.Join(root, "older"),
		filepath.Join(root, "too-old"), filepath.Join(root, "client-only"), filepath.Join(root, "links")
	fakePrograms(t, newest, "postgres (PostgreSQL) 99.1 (Debian 99.1-1)")
	fakePrograms(t, older, "postgres (PostgreSQL) 98beta2")
	fakePrograms(t, tooOld, "postgres (PostgreSQL) 14.20")
	fakePrograms(t, clientOnly, "postgres (PostgreSQL) 99.1")
	if err := os.Remove(filepath.Join(clientOnly, "initdb")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(links, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(newest, "postgres"), filepath.Join(links, "postgres")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", links+":"+clientOnly+":"+tooOld+":"+older+":"+newest+":[:"+os.Getenv("PATH"))

	found, err := pgserver.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 2 || found[0].BinDir != newest || found[0].Major != 99 || found[1].BinDir != older || found[1].Major != 98 {
		t.Errorf("found %v, want versions 99 and 98 first", found)
	}
	for _, in := range found {
		if in.BinDir == tooOld || in.BinDir == clientOnly || in.BinDir == links {
			t.Errorf("found %v, which cannot be used", in)
		}
	}

	obtained, err := pgserver.Obtain(t.Context(), io.Discard)
	if err != nil || obtained != found[0] {
		t.Errorf("obtained %v, %v; want %v", obtained, err, found[0])
	}
}

func TestCommandHasACleanEnvironment(t *testing.T) {
	t.Setenv("PGPORT", "1")
	in := pgserver.Installation{BinDir: t.TempDir(), LibraryPath: "/somewhere"}
	fakePrograms(t, in.BinDir, "${PGPORT-unset} $LD_LIBRARY_PATH")
	out, err := in.Command(t.Context(), "postgres").Output()
	if err != nil || string(out) != "unset /somewhere\n" {
		t.Errorf("the program saw %q, %v", out, err)
	}
}

// fakePrograms makes an installation whose programs only say something.
func fakePrograms(t *testing.T, dir, says string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"postgres", "initdb"} {
		script := fmt.Sprintf("#!/bin/sh\necho \"%s\"\n", says)
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}
