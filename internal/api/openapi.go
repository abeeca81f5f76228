package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema/openapi"
)

// Where the OpenAPI document lies, the page that shows it, and the JSON Schemas of
// reports and of comparisons of two.
const (
	documentPath         = "/openapi.yaml"
	pagePath             = "/docs/"
	reportSchemaPath     = "/schema/report/v1.schema.json"
	comparisonSchemaPath = "/schema/report/comparison.v1.schema.json"
)

// Pages are the paths beside the procedures: each, or what lies under one that
// ends in a slash. A page is also found without it.
func Pages() []string {
	return []string{documentPath, pagePath, strings.TrimSuffix(pagePath, "/"), reportSchemaPath, comparisonSchemaPath, reportsPath}
}

// mountOpenAPI serves the OpenAPI document, a page that shows it, all of which is in
// this program, and the schemas.
func mountOpenAPI(mux *http.ServeMux) error {
	document, err := openapi.Files.ReadFile(openapi.Document)
	if err != nil {
		return fmt.Errorf("read the OpenAPI document: %w", err)
	}
	serve := func(path, mediaType string, content []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = w.Write(content) // the caller may have gone
		})
	}
	serve(documentPath, "application/yaml", document)
	serve(reportSchemaPath, "application/schema+json", schema.Report)
	serve(comparisonSchemaPath, "application/schema+json", schema.Comparison)
	mux.Handle("GET "+pagePath, v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Test Coordinator Data Adapter", SwaggerJSON: documentPath, BasePath: pagePath,
	}))
	return nil
}
