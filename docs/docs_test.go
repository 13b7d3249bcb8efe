// Package docs_test holds what the documentation says of the code's layout against the
// code.
package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/g2a-lambda/g2a-lambda/"
	root   = ".."
)

// folders are all that hold something of the project, slash-separated, from its root.
func folders(t *testing.T) (all []string) {
	t.Helper()
	left := []string{"build", "testdata"}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir() || path == root:
			return nil
		case strings.HasPrefix(entry.Name(), ".") || slices.Contains(left, entry.Name()):
			return filepath.SkipDir
		}
		all = append(all, filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator))))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReadmeListsEveryFolder(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, layout, found := strings.Cut(string(text), "## Layout\n\n```\n")
	layout, _, ended := strings.Cut(layout, "```")
	if !found || !ended {
		t.Fatal("README.md has no layout")
	}
	var listed []string
	for _, line := range regexp.MustCompile(`(?m)^(\S+)/ +\S.*$`).FindAllStringSubmatch(layout, -1) {
		listed = append(listed, line[1])
	}
	if lines := strings.Count(layout, "\n"); lines != len(listed) {
		t.Errorf("%d lines of the layout, and %d name a folder", lines, len(listed))
	}
	there := folders(t)
	slices.Sort(listed)
	slices.Sort(there)
	if !slices.Equal(listed, there) {
		t.Errorf("the layout lists\n%s\nand there are\n%s", strings.Join(listed, "\n"), strings.Join(there, "\n"))
	}
}

// TestEveryPackageSaysWhatItIsFor, in doc.go, and what it may import.
func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, folder := range folders(t) {
		if len(sources(t, folder)) == 0 {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, folder, "doc.go"), nil, parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", folder, err)
			continue
		}
		if doc := file.Doc.Text(); !strings.Contains(doc, "import") {
			t.Errorf("%s: doc.go does not say what the package may import: %q", folder, doc)
		}
	}
}

// arrows are what a package below a folder must not import, tests aside.
var arrows = map[string][]string{
	"shared":            {"infra", "functions", "contracts"},
	"shared/g2a":        {"shared/purchase", "shared/inbox", "shared/store", "shared/secrets", "shared/telemetry"},
	"shared/purchase":   {"shared/inbox", "shared/store", "shared/secrets", "shared/telemetry"},
	"shared/inbox":      {"shared/purchase", "shared/store", "shared/secrets", "shared/telemetry"},
	"functions":         {"infra", "contracts"},
	"infra/localcloud":  {"infra/cmd", "infra/proof", "infra/engine"},
	"infra/cmd":         {"infra/proof", "infra/engine"},
	"infra/engine":      {"infra/cmd", "infra/proof", "infra/localcloud", "shared"},
	"infra/alarm":       {"infra/cmd", "infra/proof", "infra/engine", "shared", "functions"},
	"infra/proof/stack": {"infra/cmd", "infra/engine"},
}

// within reports whether a folder is another one, or below it.
func within(folder, of string) bool { return folder == of || strings.HasPrefix(folder, of+"/") }

// imports returns what the sources of a folder import of the project, tests aside.
func imports(t *testing.T, folder string) (paths []string) {
	t.Helper()
	for _, name := range sources(t, folder) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range file.Imports {
			if path, own := strings.CutPrefix(strings.Trim(imported.Path.Value, `"`), module); own {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// sources are the Go files of a folder, tests aside.
func sources(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
}

func TestArrowsGoOneWay(t *testing.T) {
	checked := 0
	for _, folder := range folders(t) {
		imported := imports(t, folder)
		checked += len(imported)
		for from, never := range arrows {
			if !within(folder, from) {
				continue
			}
			for _, path := range imported {
				if slices.ContainsFunc(never, func(folder string) bool { return within(path, folder) }) {
					t.Errorf("%s imports %s", folder, path)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d imports were looked at", checked)
	}
}
