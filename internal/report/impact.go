package report

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// mostMetrics is how many metrics of a service are looked at: the first by name of
// each snapshot that brings new ones, until there are so many.
const mostMetrics = 24

// metricsIn are the numbers of an object of metrics. What is no number, or beyond a
// float64, is left out.
func metricsIn(raw json.RawMessage) map[string]float64 {
	if len(raw) == 0 {
		return nil
	}
	value, err := decodeExact(raw)
	object, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil
	}
	metrics := make(map[string]float64, len(object))
	for name, v := range object {
		n, ok := v.(json.Number)
		if !ok {
			continue
		}
		if f, err := strconv.ParseFloat(n.String(), 64); err == nil {
			metrics[name] = f + 0 // -0 + 0 = 0
		}
	}
	return metrics
}

func (w *watched) measure(at time.Time, metrics map[string]float64, faulted bool) {
	omitted := 0
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		s := w.metrics[name]
		if s == nil {
			if len(w.metrics) >= mostMetrics {
				omitted++
				continue
			}
			s = &series{}
			w.metrics[name] = s
		}
		s.add(at, metrics[name], faulted)
	}
	w.metricsOmitted = max(w.metricsOmitted, omitted)
}

// impact is what the metrics say of each service, by name.
func (w *snapshotWatch) impact(faults []Fault) []ServiceImpact {
	targets := map[string]bool{}
	for i := range faults {
		if faults[i].InjectedAt != nil {
			targets[faults[i].Target] = true
		}
	}
	all := []ServiceImpact{}
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		s := w.services[name]
		if len(s.metrics) == 0 && len(s.health) == 0 {
			continue
		}
		service := ServiceImpact{
			Service: cutText(name), Target: targets[name], Health: append([]HealthAt{}, s.health...),
			HealthBefore: s.healthBefore, HealthLast: s.healthAt, Metrics: []MetricImpact{}, Omitted: s.metricsOmitted,
		}
		for _, metric := range slices.Sorted(maps.Keys(s.metrics)) {
			service.Metrics = append(service.Metrics, s.metrics[metric].impact(cutText(metric), w.faulted))
		}
		all = append(all, service)
	}
	return all
}

// series is one metric of one service through the run, in the order of its
// snapshots: its extremes, and points for a chart.
type series struct {
	points   sampled
	min, max float64
	before   *float64 // the last value before the first fault

	since              int // values after the first fault
	sinceMin, sinceMax float64
}

func (s *series) add(at time.Time, value float64, faulted bool) {
	if s.points.n == 0 {
		s.min, s.max = value, value
	}
	s.min, s.max = math.Min(s.min, value), math.Max(s.max, value)
	s.points.add(Point{At: at, Value: value})
	if !faulted {
		s.before = new(value)
		return
	}
	if s.since == 0 {
		s.sinceMin, s.sinceMax = value, value
	}
	s.since++
	s.sinceMin, s.sinceMax = math.Min(s.sinceMin, value), math.Max(s.sinceMax, value)
}

// impact is the metric as reports have it. The baseline is the last value before the
// first fault; where there is none, or no fault, the first value. The peak is the
// value farthest from it among those since the first fault, or among all where there
// was no fault; of two that are as far, the larger. Without a value since the first
// fault there is neither a peak nor a residual.
func (s *series) impact(name string, faulted bool) MetricImpact {
	last := s.points.last.Value
	m := MetricImpact{Name: name, Min: s.min, Max: s.max, Last: last, Points: s.points.points()}
	low, high, baseline := s.min, s.max, s.points.first.Value
	if faulted {
		if s.before != nil {
			baseline = *s.before
		}
		low, high = s.sinceMin, s.sinceMax
	}
	m.Baseline = new(baseline)
	if faulted && s.since == 0 {
		return m
	}
	peak := high
	if math.Abs(low-baseline) > math.Abs(high-baseline) {
		peak = low
	}
	m.Peak = new(peak)
	m.PeakChange, m.Residual = relative(peak, baseline), relative(last, baseline)
	return m
}
