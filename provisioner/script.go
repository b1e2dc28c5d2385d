package provisioner

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"
)

var (
	//go:embed templates/workspace.sh
	workspaceScript string
	//go:embed templates/run.sh.tmpl
	runScript   string
	runTemplate = template.Must(template.New("run.sh").Parse(runScript))
)

// What stands on the guest in the folder of a run.
const (
	helperFile = "fs-harden"
	planFile   = "plan.json"
	scriptFile = "run.sh"
)

// script is the file that the execute command runs: the helper with its
// arguments, in the environment asked for. Being one file without arguments it
// suits every execute_command written for the shell provisioner, also one that
// says "sh '{{.Path}}'"; and a value never shows in a process list.
func (c *Config) script(folder string) ([]byte, error) {
	vars := append(c.packerVars(), c.EnvironmentVars...)
	var exports []string
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		exports = append(exports, name+"="+quote(value))
	}
	var b strings.Builder
	err := runTemplate.Execute(&b, map[string]any{
		"Exports": exports,
		"Remove":  !c.SkipCleanUp,
		"Folder":  quote(folder),
		"Helper":  quote(folder + "/" + helperFile),
		"Plan":    quote(folder + "/" + planFile),
	})
	if err != nil {
		return nil, fmt.Errorf("writing the script that runs fs-harden: %w", err)
	}
	return []byte(b.String()), nil
}

// command is the execute command with its variables filled in. The generated
// data holds SSH keys: it is for the template only and never shown.
func (c *Config) command(folder string, asRoot bool, generated map[string]any) (string, error) {
	text := c.ExecuteCommand
	switch {
	case text != "":
	case asRoot:
		text = "chmod +x {{.Path}}; {{.Vars}} {{.Path}}"
	default:
		// -n: a sudo that wants a password says so at once instead of waiting
		// for one that nobody will type.
		text = "chmod +x {{.Path}}; {{.Vars}} sudo -n {{.Path}}"
	}
	data := make(map[string]any, len(generated)+2)
	for k, v := range generated {
		data[k] = v
	}
	var vars []string
	for _, v := range c.packerVars() {
		name, value, _ := strings.Cut(v, "=")
		vars = append(vars, name+"="+quote(value))
	}
	data["Vars"] = strings.Join(vars, " ")
	data["Path"] = folder + "/" + scriptFile

	ctx := c.ctx
	ctx.Data = data
	command, err := interpolate.Render(text, &ctx)
	if err != nil {
		return "", fmt.Errorf("filling in execute_command: %w", err)
	}
	return command, nil
}

// packerVars are the variables that Packer's shell provisioner gives every
// script.
func (c *Config) packerVars() []string {
	return []string{
		"PACKER_BUILD_NAME=" + c.PackerBuildName,
		"PACKER_BUILDER_TYPE=" + c.PackerBuilderType,
	}
}

// quote makes one word of s for a POSIX shell, whatever s holds.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
