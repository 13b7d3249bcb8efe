package lambda

import (
	"bytes"
	"os"
)

const lastWordsMax = 500 // bytes

// lastLine gives the last line of a file that is not empty, cut to a length that a
// terminal takes; "" when there is none.
func lastLine(file string) string {
	f, err := os.Open(file) // #nosec G304 -- one of our logs
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	tail := make([]byte, min(info.Size(), 64<<10))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return ""
	}
	tail = bytes.TrimSpace(tail)
	tail = tail[bytes.LastIndexByte(tail, '\n')+1:]
	return string(tail[:min(len(tail), lastWordsMax)])
}
