// Package openapi holds the OpenAPI document of the API, which is generated
// from the .proto files; base.yaml is what they do not say.
package openapi

import "embed"

// Document is the name of the document in Files.
const Document = "v1/testcoordination.v1.openapi.yaml"

// Files holds the document.
//
//go:embed v1/testcoordination.v1.openapi.yaml
var Files embed.FS
