package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// steps of the engine, in order.
var steps = []string{"S0", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S9"}

// stepTime is what a step took so far.
type stepTime struct {
	seconds float64
	times   uint64
}

// scraped is what the service has said of itself up to a moment.
type scraped struct {
	steps              map[string]stepTime
	batches            uint64
	allocated, objects float64
}

var web = &http.Client{Timeout: time.Minute}

// get is the answer of the service at a path.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	return body, nil
}

func (a *adapter) scrape(ctx context.Context) (scraped, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.http+"/metrics", http.NoBody)
	if err != nil {
		return scraped{}, err
	}
	response, err := web.Do(request)
	if err != nil {
		return scraped{}, fmt.Errorf("get the service's metrics: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return scraped{}, fmt.Errorf("read the service's metrics: %w", err)
	}
	s := scraped{steps: map[string]stepTime{}}
	for _, name := range []string{"tcda_step_seconds", "tcda_batch_records", "go_memstats_alloc_bytes_total", "go_memstats_mallocs_total"} {
		if len(families[name].GetMetric()) == 0 {
			return scraped{}, fmt.Errorf("the service says nothing of %s", name)
		}
	}
	for _, m := range families["tcda_step_seconds"].GetMetric() {
		s.steps[label(m, "step")] = stepTime{m.GetHistogram().GetSampleSum(), m.GetHistogram().GetSampleCount()}
	}
	s.batches = families["tcda_batch_records"].GetMetric()[0].GetHistogram().GetSampleCount()
	s.allocated = number(families["go_memstats_alloc_bytes_total"].GetMetric()[0])
	s.objects = number(families["go_memstats_mallocs_total"].GetMetric()[0])
	return s, nil
}

func label(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// number is the value of a metric that is a counter, a gauge or untyped.
func number(m *dto.Metric) float64 {
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
}
