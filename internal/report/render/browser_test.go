//go:build interop

package render_test

import (
	"bytes"
	"image"
	_ "image/png" // what the browser writes
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"
)

// chromium is the browser of this machine.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal(`no Chromium is here: Debian "apt-get install chromium", Fedora "dnf install chromium", macOS "brew install chromium"`)
	return ""
}

// looked is what came of opening a page in a browser.
type looked struct {
	requests []string // for anything but the page
	console  []string
	page     *html.Node // after it was shown
	picture  image.Image
}

// open shows a page in a browser for which the test is all of the network.
func open(t *testing.T, browser string, page []byte, dark bool, width string) looked {
	t.Helper()
	var (
		mu sync.Mutex
		l  looked
	)
	network := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.String() == "http://report.test/" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(page)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if own(r.Host) {
			return
		}
		l.requests = append(l.requests, r.Method+" "+r.URL.String()+" "+r.Host)
		http.Error(w, "there is nothing else", http.StatusBadGateway)
	}))
	defer network.Close()
	dir := t.TempDir()
	scheme := "1"
	if dark {
		scheme = "0"
	}
	arguments := []string{
		"--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-default-apps", "--disable-extensions", "--disable-domain-reliability", "--metrics-recording-only",
		"--disable-features=OptimizationHints,MediaRouter,Translate", "--user-data-dir=" + dir,
		"--proxy-server=" + network.Listener.Addr().String(), "--proxy-bypass-list=<-loopback>",
		"--enable-logging=stderr", "--blink-settings=preferredColorScheme=" + scheme, "--window-size=" + width + ",1600",
		"--screenshot=" + filepath.Join(dir, "picture.png"), "--dump-dom",
	}
	if os.Geteuid() == 0 {
		arguments = append(arguments, "--no-sandbox")
	}
	command := exec.CommandContext(t.Context(), browser, append(arguments, "http://report.test/")...)
	command.Dir = dir
	var said, dom bytes.Buffer
	command.Stdout, command.Stderr = &dom, &said
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "CONSOLE") {
			l.console = append(l.console, strings.TrimSpace(line))
		}
	}
	var err error
	if l.page, err = html.Parse(&dom); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(dir, "picture.png"))
	if err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	defer func() { _ = file.Close() }()
	if l.picture, _, err = image.Decode(file); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return l
}

// own tells whether the browser asks for itself: for the time, for updates.
func own(host string) bool {
	name, _, _ := strings.Cut(host, ":")
	return strings.HasSuffix(name, ".google.com") || strings.HasSuffix(name, ".googleapis.com") || strings.HasSuffix(name, ".gvt1.com")
}

// brightness is that of the page itself, at its edge: 0 to 1.
func (l *looked) brightness() float64 {
	r, g, b, _ := l.picture.At(3, l.picture.Bounds().Dy()-3).RGBA()
	return float64(r+g+b) / 3 / 0xffff
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// The page of each report opens in Chromium in both colour schemes, narrow and
// wide: it fetches nothing, has nothing to complain of, and runs nothing.
func TestChromiumShowsReports(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	pages := map[string][]byte{"comparison": compared(t, "html", comparison(t))}
	for name, r := range all(t) {
		pages[name] = rendered(t, "html", r)
	}
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, dark := range []bool{false, true} {
				width := map[bool]string{false: "1280", true: "500"}[dark]
				l := open(t, browser, page, dark, width)
				if len(l.requests) > 0 {
					t.Errorf("it asked for %q", l.requests)
				}
				if len(l.console) > 0 {
					t.Errorf("the console says %q", l.console)
				}
				if got := l.brightness(); got > 0.2 == dark {
					t.Errorf("dark %v: its brightness is %.2f", dark, got)
				}
				whole, err := html.Parse(bytes.NewReader(page))
				if err != nil {
					t.Fatal(err)
				}
				if got, want := text(l.page), text(whole); strings.TrimSpace(got) != strings.TrimSpace(want) {
					t.Error("the browser shows another text than was written")
				}
			}
		})
	}
}

// The test of pages sees what it is to see.
func TestChromiumTestSeesRequestsAndErrors(t *testing.T) {
	t.Parallel()
	page := []byte(`<!DOCTYPE html><title>x</title><img src="http://elsewhere.test/x.png"><script>console.error("told")</script>`)
	l := open(t, chromium(t), page, false, "800")
	if !strings.Contains(strings.Join(l.requests, " "), "elsewhere.test/x.png") || !strings.Contains(strings.Join(l.console, " "), "told") {
		t.Errorf("requests %q, console %q", l.requests, l.console)
	}
}
