package main

import (
	"encoding/json"
	"net/http"
)

// retryAfter is when G2A may try again, in seconds, after a 503.
const retryAfter = "5"

// answer is a status and what becomes the JSON body.
type answer struct {
	status int
	body   map[string]string
}

func failure(status int, text string) answer {
	return answer{status, map[string]string{"error": text}}
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(a.status)
	body, _ := json.Marshal(a.body) // texts only: never fails
	_, _ = w.Write(body)            // the gateway has gone: nobody to tell
}
