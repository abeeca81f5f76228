package testenv

import (
	"bytes"
	"context"
	_ "embed" // the pom
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/debpkg"
)

//go:embed apachekafka/pom.xml
var kafkaPOM []byte

// oldestJava is what Apache Kafka 4 runs on.
const oldestJava = 17

// KafkaPrograms is an Apache Kafka on disk, and what runs it.
type KafkaPrograms struct {
	Version string
	Java    string // its file
	Jars    string // folder
}

// ObtainApacheKafka downloads Apache Kafka from Maven Central into the user's
// cache, unless it is there, and tells so on progress. Java 17 or newer must be
// installed, and for the download Maven.
func ObtainApacheKafka(ctx context.Context, progress io.Writer) (KafkaPrograms, error) {
	programs := KafkaPrograms{Version: kafkaVersion()}
	cache, err := debpkg.CacheDir()
	if err != nil {
		return programs, err
	}
	programs.Jars = filepath.Join(cache, "apache-kafka-"+programs.Version)
	if programs.Java, err = findJava(ctx); err == nil {
		err = downloadKafka(ctx, programs.Jars, progress)
	}
	if err != nil {
		return programs, fmt.Errorf(`no Apache Kafka: %w; it needs Java %d and Maven: Debian and Ubuntu "apt-get install openjdk-17-jre-headless maven", `+
			`Fedora "dnf install java-21-openjdk-headless maven", macOS "brew install openjdk maven"`, err, oldestJava)
	}
	return programs, nil
}

func kafkaVersion() string {
	match := regexp.MustCompile(`<kafka.version>(.+)</kafka.version>`).FindSubmatch(kafkaPOM)
	return string(match[1])
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

func findJava(ctx context.Context) (string, error) {
	file := filepath.Join(os.Getenv("JAVA_HOME"), "bin", "java")
	if os.Getenv("JAVA_HOME") == "" {
		found, err := exec.LookPath("java")
		if err != nil {
			return "", fmt.Errorf("find java: %w", err)
		}
		file = found
	}
	said, err := exec.CommandContext(ctx, file, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask java for its version: %w", err)
	}
	match := javaVersion.FindSubmatch(said)
	if match == nil {
		return "", fmt.Errorf("unknown version of java: %q", said)
	}
	if major, err := strconv.Atoi(string(match[1])); err != nil || major < oldestJava {
		return "", fmt.Errorf("java is version %s", match[1])
	}
	return file, nil
}

// downloadKafka fills the folder of jars. Only a complete one gets the name.
func downloadKafka(ctx context.Context, jars string, progress io.Writer) (err error) {
	if err := os.MkdirAll(filepath.Dir(jars), 0o755); err != nil {
		return fmt.Errorf("make a folder for downloaded programs: %w", err)
	}
	unlock, err := debpkg.Lock(jars + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(jars); err == nil {
		return nil
	}
	work, err := os.MkdirTemp(filepath.Dir(jars), ".unpacking-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	pom := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(pom, kafkaPOM, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(progress, "downloading Apache Kafka %s from Maven Central (about 45 MB)\n", kafkaVersion())
	maven := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", "--file", pom,
		"dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(work, "jars"))
	if said, err := maven.CombinedOutput(); err != nil {
		return fmt.Errorf("download with Maven: %w: %s", err, bytes.TrimSpace(said))
	}
	return os.Rename(filepath.Join(work, "jars"), jars)
}
