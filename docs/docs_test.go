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
		sources, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		sources = slices.DeleteFunc(sources, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
		if len(sources) == 0 {
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
	"infra/proof/stack": {"infra/cmd", "infra/engine"},
}

func TestArrowsGoOneWay(t *testing.T) {
	checked := 0
	for from, never := range arrows {
		for _, folder := range folders(t) {
			if folder != from && !strings.HasPrefix(folder, from+"/") {
				continue
			}
			sources, _ := filepath.Glob(filepath.Join(root, folder, "*.go")) // the pattern is a good one
			for _, name := range sources {
				if strings.HasSuffix(name, "_test.go") {
					continue
				}
				file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
				if err != nil {
					t.Fatal(err)
				}
				for _, imported := range file.Imports {
					path, own := strings.CutPrefix(strings.Trim(imported.Path.Value, `"`), module)
					if !own {
						continue
					}
					checked++
					for _, folder := range never {
						if path == folder || strings.HasPrefix(path, folder+"/") {
							t.Errorf("%s imports %s", name, path)
						}
					}
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d imports were looked at", checked)
	}
}
