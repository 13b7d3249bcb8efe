package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// row is one object of an answer: by the names of its columns, which are also those
// of the JSON.
type row []cell

type cell struct {
	name  string
	value any // nil is not known
}

// MarshalJSON implements json.Marshaler: the columns in their order.
func (r row) MarshalJSON() ([]byte, error) {
	var text strings.Builder
	text.WriteByte('{')
	for i, c := range r {
		if i > 0 {
			text.WriteByte(',')
		}
		value, err := json.Marshal(c.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(&text, "%q:%s", c.name, value)
	}
	text.WriteByte('}')
	return []byte(text.String()), nil
}

func (c cell) String() string {
	if c.value == nil {
		return "-"
	}
	if text := fmt.Sprint(c.value); text != "" {
		return text
	}
	return "-"
}

// listing prints rows as they come: as a table, or as JSON.
type listing struct {
	json  *json.Encoder
	table *tabwriter.Writer
	begun bool
}

func (t *tool) listing() *listing {
	if t.json {
		encoder := json.NewEncoder(t.out)
		encoder.SetEscapeHTML(false)
		return &listing{json: encoder}
	}
	return &listing{table: tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)}
}

func (l *listing) add(r row) error {
	if l.json != nil {
		return l.json.Encode(r)
	}
	if !l.begun {
		names := make([]string, len(r))
		for i, c := range r {
			names[i] = strings.ToUpper(strings.ReplaceAll(c.name, "_", " "))
		}
		l.begun = true
		fmt.Fprintln(l.table, strings.Join(names, "\t"))
	}
	values := make([]string, len(r))
	for i, c := range r {
		values[i] = c.String()
	}
	_, err := fmt.Fprintln(l.table, strings.Join(values, "\t"))
	return err
}

func (l *listing) end() error {
	if l.table == nil {
		return nil
	}
	return l.table.Flush()
}

// one prints one object: a line for each of its columns, or as JSON.
func (t *tool) one(r row) error {
	if t.json {
		return t.listing().add(r)
	}
	table := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
	for _, c := range r {
		fmt.Fprintf(table, "%s\t%s\n", strings.ReplaceAll(c.name, "_", " "), c)
	}
	return table.Flush()
}

// progressOn is f where a person looks at it, and nothing else.
func progressOn(f *os.File) io.Writer {
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return f
	}
	return io.Discard
}

// counting prints how far a listing has come, over and over on one line.
func (t *tool) counting(what string, n int) { fmt.Fprintf(t.progress, "\r%d %s", n, what) }

func (t *tool) counted() { fmt.Fprint(t.progress, "\r\033[K") }
