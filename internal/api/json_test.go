package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A wish that is misspelt is not carried out without it.
func TestUnknownFieldsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, want := range map[string]struct {
		code int
		says string
	}{
		`{"requestId":"r-1","scenario":{"scenarioId":"slow","definition":"text"}}`:            {http.StatusOK, `"number":1`},
		`{"request_id":"r-2","scenario":{"scenario_id":"slow","definition":"text"}}`:          {http.StatusOK, `"number":1`},
		`{"requestId":"r-3","scenario":{"scenarioId":"slow","definition":"text","owner_":1}}`: {http.StatusBadRequest, `unknown field \"owner_\"`},
		`{"requestId":"r-4","scenarios":{}}`:                                                  {http.StatusBadRequest, `unknown field \"scenarios\"`},
		`{"requestId":4}`:                                                                     {http.StatusBadRequest, "requestId"},
		``:                                                                                    {http.StatusBadRequest, "an empty PublishScenarioRequest is {}"},
	} {
		for _, contentType := range []string{"application/json", "application/json; charset=utf-8"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/testcoordination.v1.ScenarioService/PublishScenario", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", contentType)
			answer, err := w.Client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil || answer.StatusCode != want.code || !strings.Contains(string(said), want.says) {
				t.Errorf("%s as %s: %d %s, error %v; want %d with %s", body, contentType, answer.StatusCode, said, err, want.code, want.says)
			}
		}
	}
	var versions int
	if err := w.db.Pool(t).QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.scenario_versions").Scan(&versions); err != nil || versions != 1 {
		t.Errorf("%d versions are stored, want one; error %v", versions, err)
	}
}
