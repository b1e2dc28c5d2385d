package fsxml

import (
	"errors"
	"fmt"
	"path"
)

// A Config is a FreeSWITCH configuration as FreeSWITCH reads it at its start.
// It is not safe for use by several goroutines at once.
type Config struct {
	src     Source
	confDir string
	alone   string // the one file that was given to Parse

	files      []file
	doc        []byte
	segs       segments
	nodes      []node
	top        int32 // the element a place begins below
	vars       map[string]string
	refs       map[string]bool
	directives []Directive
	unread     []gap

	index map[int32]map[step][]int32
}

// Load reads confDir/freeswitch.xml and all it includes. Included files that
// are not there are no error, as they are none to FreeSWITCH. What FreeSWITCH
// would refuse, or quietly spoil, is an error that names the file and line.
func Load(src Source, confDir string) (*Config, error) {
	c := &Config{src: src, confDir: path.Clean(confDir)}
	if err := c.read(map[string][]byte{}); err != nil {
		return nil, err
	}
	return c, nil
}

// Parse reads one file by itself: what it includes is not followed, and it may
// hold any number of outermost elements. Places begin at those, or below the
// <document> where that is the outermost one.
func Parse(name string, data []byte) (*Config, error) {
	name = path.Clean(name)
	c := &Config{src: nowhere{}, confDir: path.Dir(name), alone: name}
	if err := c.read(map[string][]byte{name: data}); err != nil {
		return nil, err
	}
	return c, nil
}

// read fills the configuration. Files already in memory are not read again.
func (c *Config) read(memory map[string][]byte) error {
	p := preprocessor{
		src:    c.src,
		memory: memory,
		byName: map[string]int32{},
		vars:   map[string]string{"conf_dir": c.confDir},
		refs:   map[string]bool{},
	}
	name := c.alone
	if name == "" {
		name = c.confDir + "/freeswitch.xml"
	}
	start, err := p.open(name)
	if err != nil {
		return err
	}
	if start < 0 {
		return fmt.Errorf("read %s: there is no such file; is this FreeSWITCH's configuration folder?", name)
	}
	if err := p.run(start, c.confDir, 0); err != nil {
		return err
	}
	c.files, c.doc, c.segs = p.files, p.out, p.segs
	c.vars, c.refs = p.vars, p.refs
	c.directives, c.unread = p.directives, p.unread
	c.index = map[int32]map[step][]int32{}
	if c.nodes, err = buildTree(c.doc, c.alone != ""); err != nil {
		return c.place(err)
	}
	if root := c.nodes[0].first; root != 0 {
		if c.alone == "" || (c.nodes[root].next == 0 && string(c.nodes[root].tag(c.doc)) == "document") {
			c.top = root
		}
	}
	return nil
}

// place says in which file and line the parser stopped.
func (c *Config) place(err error) error {
	var bad *scanError
	if !errors.As(err, &bad) {
		return err
	}
	if len(c.segs) == 0 {
		return &placedError{c.files[0].name, 1, bad}
	}
	name, line := c.position(bad.pos)
	if bad.opened == 0 {
		return &placedError{name, line, bad}
	}
	from, at := c.position(bad.opened)
	return &placedError{name, line, fmt.Errorf("%w, for the tag opened at %s:%d", bad, from, at)}
}

// position returns the file and line a byte of the document comes from.
func (c *Config) position(pos int) (string, int) {
	f, off, _ := c.segs.origin(pos)
	return c.files[f].name, c.files[f].line(off)
}

// Files returns every file read, in the order of its first reading.
func (c *Config) Files() []string {
	names := make([]string, len(c.files))
	for i := range c.files {
		names[i] = c.files[i].name
	}
	return names
}

// Expanded returns the document that FreeSWITCH's XML parser sees. The caller
// must not change it. References to variables that only a running FreeSWITCH
// knows are left in it as $${name}.
func (c *Config) Expanded() []byte { return c.doc }

// Var returns the value a variable has after preprocessing; the last set wins,
// and the case of the name does not count. It is not known when nothing sets
// it, or when a command, a STUN server, the environment or the running
// FreeSWITCH does.
func (c *Config) Var(name string) (string, bool) {
	value, ok := c.vars[lower(name)]
	return value, ok
}

// Directives returns every preprocessor directive, in the order FreeSWITCH
// executes them.
func (c *Config) Directives() []Directive { return c.directives }

// References tells whether $${name} is expanded somewhere, comments included.
func (c *Config) References(name string) bool { return c.refs[lower(name)] }

// nowhere is the source of a file that stands by itself.
type nowhere struct{}

func (nowhere) ReadFile(string) ([]byte, error) { return nil, errors.ErrUnsupported }
func (nowhere) Glob(string) ([]string, error)   { return nil, nil }
