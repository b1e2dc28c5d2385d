package harden

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The rule of docs/security-model.md holds because files are opened and programs
// started in one package. What opens one by name elsewhere names a file of the
// process itself, or one that the person at the keyboard has named.
func TestOnlyTheDoorOpensFiles(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"step_helper.go: os.ReadFile":            "the file of this very program",
		"step_image.go: os.Readlink":             "the file of this very program",
		"cmd/fs-harden/commands.go: os.ReadFile": "--plan, which may be a pipe",
	}
	harmless := []string{
		"os.Getenv", "os.Geteuid", "os.Getegid", "os.Getuid", "os.Getgid", "os.Getpid", "os.Exit", "os.Args", "os.Stdout", "os.Stderr",
		"os.Interrupt", "os.Expand", "os.File", "os.ModeCharDevice",
		"exec.ErrNotFound", "os.ErrDeadlineExceeded",
	}
	used := map[string]bool{}
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") || strings.HasPrefix(p, "host/") {
			return err
		}
		file, err := parser.ParseFile(files, p, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := s.X.(*ast.Ident)
			if !ok || !slices.Contains([]string{"os", "exec", "ioutil"}, pkg.Name) {
				return true
			}
			name := pkg.Name + "." + s.Sel.Name
			use := p + ": " + name
			used[use] = true
			if !slices.Contains(harmless, name) && allowed[use] == "" {
				t.Errorf("%s: use harden/host, which looks at who may have put what there", use)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for use, why := range allowed {
		if !used[use] {
			t.Errorf("%s (%s) is no longer used: remove it from the list", use, why)
		}
	}
}
