package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// newLabs has the labs that lab new begins with.
//
//go:embed newlab
var newLabs embed.FS

func newLabNew(a *app) *cobra.Command {
	var build bool
	var title string
	cmd := &cobra.Command{
		Use: "new NAME", Short: "Begin a lab of your own: a file with comments, which runs", Args: cobra.ExactArgs(1),
		Long: `Begin a lab of your own: NAME.txtar in this folder, one text file with comments,
sound as it is. You need no Go: labs/AUTHORING.md has the form.

  wirelab lab new my-lab
  wirelab lab verify my-lab.txtar
  wirelab lab run my-lab.txtar

--build begins a lab in which learners write a program.`,
		RunE: a.do(func(_ context.Context, args []string) error { return a.labNew(args[0], title, build) }),
	}
	cmd.Flags().BoolVar(&build, "build", false, "a lab to write a program in")
	cmd.Flags().StringVar(&title, "title", "", "its `title`")
	return cmd
}

// labName is what the name of a lab looks like.
var labName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

func (a *app) labNew(name, title string, build bool) error {
	path := name
	if filepath.Ext(path) != ".txtar" {
		path += ".txtar"
	}
	name = strings.TrimSuffix(filepath.Base(path), ".txtar")
	if !labName.MatchString(name) {
		return cannot("want small letters, digits and hyphens, such as my-lab", "lab %q: no name for a lab", name)
	}
	if title == "" {
		title = strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "-", " ")
	}
	if title != strings.Join(strings.Fields(title), " ") {
		return cannot("want one line with single blanks", "--title %q", title)
	}
	kind := "newlab/observe.txtar"
	if build {
		kind = "newlab/build.txtar"
	}
	text, err := fs.ReadFile(newLabs, kind)
	if err != nil {
		return err
	}
	filled := strings.NewReplacer("TITLE", title, "NAME", name).Replace(string(text))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	switch {
	case errors.Is(err, fs.ErrExist):
		return cannot("choose another name, or remove the file", "%s is there already", path)
	case err != nil:
		return cannot("want a folder that you may write to", "%w", err)
	}
	_, err = f.WriteString(filled)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s\n", path)
	next := "wirelab lab run " + quoted(path)
	if build {
		next = "wirelab lab check " + quoted(path) + " -- PROGRAM"
	}
	fmt.Fprintf(a.err, "wirelab: next: wirelab lab verify %s, then %s\n", quoted(path), next)
	return err
}
