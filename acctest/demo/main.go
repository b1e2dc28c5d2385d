//go:build linux

// Command demo shows the main job on machines that are thrown away afterwards:
// example/ is baked by Packer on a Debian with a vanilla FreeSWITCH, two
// instances of the image boot, and what they have is shown side by side. It needs
// root on Debian 12; `make demo` runs it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/bakery"
	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	if missing := lab.Missing(); len(missing) > 0 {
		return fmt.Errorf("this machine cannot hold the demonstration: %s", strings.Join(missing, "; "))
	}
	l, err := lab.New(ctx, func(format string, args ...any) { fmt.Printf("    "+format+"\n", args...) })
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := l.Close(); err == nil {
			err = closeErr
		}
	}()
	title("Packer, the plugin, and a Debian 12 with a vanilla FreeSWITCH")
	project, err := os.Getwd()
	if err != nil {
		return err
	}
	b, err := bakery.Open(ctx, l, project, "")
	if err != nil {
		return err
	}
	builder, err := b.Machine(ctx, "builder")
	if err != nil {
		return err
	}
	before, err := look(ctx, builder)
	if err != nil {
		return err
	}

	title("packer build example/")
	dir, err := os.MkdirTemp("", "fs-harden-demo")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a report of 5 KB in /tmp is no loss
	out, err := b.Bake(ctx, builder, filepath.Join(dir, "report.json"))
	if err != nil {
		return err
	}
	fmt.Println(out)
	image, err := bakery.Image(ctx, builder, "golden")
	if err != nil {
		return err
	}

	title("two instances of that image, first boot")
	seen := []view{before}
	for _, name := range []string{"instance-1", "instance-2"} {
		c, err := image.Boot(ctx, name, lab.BootOptions{InstanceID: "i-demo-" + name})
		if err != nil {
			return err
		}
		if _, err := c.WaitBoot(ctx); err != nil {
			return err
		}
		v, err := look(ctx, c)
		if err != nil {
			return err
		}
		seen = append(seen, v)
	}
	table(seen)
	return compare(seen[1], seen[2])
}

func title(text string) { fmt.Printf("\n== %s\n\n", text) }
