package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema/openapi"
)

// Where the OpenAPI document lies, and the page that shows it.
const (
	documentPath = "/openapi.yaml"
	pagePath     = "/docs/"
)

// Pages are the paths beside the procedures: each, or what lies under one that
// ends in a slash. A page is also found without it.
func Pages() []string {
	return []string{documentPath, pagePath, strings.TrimSuffix(pagePath, "/"), reportsPath}
}

// mountOpenAPI serves the OpenAPI document, and a page that shows it: all that
// the page needs is in this program.
func mountOpenAPI(mux *http.ServeMux) error {
	document, err := openapi.Files.ReadFile(openapi.Document)
	if err != nil {
		return fmt.Errorf("read the OpenAPI document: %w", err)
	}
	mux.HandleFunc("GET "+documentPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(document) // the caller may have gone
	})
	mux.Handle("GET "+pagePath, v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Test Coordinator Data Adapter", SwaggerJSON: documentPath, BasePath: pagePath,
	}))
	return nil
}
