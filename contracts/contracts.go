package contracts

import "embed"

// Files are the documents, by their paths below this folder.
//
//go:embed *.openapi.yaml schemas/*.json
var Files embed.FS
