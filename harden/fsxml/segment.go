package fsxml

import (
	"bytes"
	"sort"
)

// A file is one file of the configuration as it was read.
type file struct {
	name  string
	data  []byte
	lines []int32 // offsets just after each newline, made when first asked for
}

// line is the line number of an offset, counted from 1 as editors do.
func (f *file) line(off int32) int {
	if f.lines == nil {
		f.lines = make([]int32, 0, bytes.Count(f.data, []byte{'\n'})+1)
		for i, b := range f.data {
			if b == '\n' {
				f.lines = append(f.lines, int32(i+1))
			}
		}
	}
	return 1 + sort.Search(len(f.lines), func(i int) bool { return f.lines[i] > off })
}

// A span is a run of bytes of one file.
type span struct {
	file       int32
	start, end int32
}

// A segment says where a run of the expanded document comes from. Literal runs
// are copied byte for byte; the others are what became of one $${name}.
type segment struct {
	out     int32 // where it begins in the document
	file    int32
	src     int32 // where its source begins in the file
	n       int32 // bytes of source it stands for
	literal bool
}

// segments is in the order of the document, without gaps.
type segments []segment

// at returns the index of the segment that holds the byte at pos.
func (s segments) at(pos int) int {
	return sort.Search(len(s), func(i int) bool { return int(s[i].out) > pos }) - 1
}

// origin returns the file and offset a byte of the document comes from, and
// whether it was copied from there. For a byte of an expansion it is the
// offset of the $${name}.
func (s segments) origin(pos int) (file, off int32, literal bool) {
	i := s.at(pos)
	if i < 0 {
		return 0, 0, false
	}
	g := s[i]
	if !g.literal {
		return g.file, g.src, false
	}
	return g.file, g.src + int32(pos) - g.out, true
}

// between returns the source of the bytes from lo to hi. The byte before lo
// and the byte at hi, the quotes of a value, must be copied from one file, and
// all that lies between them in the file must lie between them in the document.
func (s segments) between(lo, hi int) (span, bool) {
	i, j := s.at(lo-1), s.at(hi)
	if i < 0 || !s[i].literal || !s[j].literal {
		return span{}, false
	}
	for k := i; k < j; k++ {
		if s[k].file != s[k+1].file || s[k].src+s[k].n != s[k+1].src {
			return span{}, false
		}
	}
	return span{
		file:  s[i].file,
		start: s[i].src + int32(lo) - s[i].out,
		end:   s[j].src + int32(hi) - s[j].out,
	}, true
}

// add puts one more segment at the end, grown into the last where it goes on.
func (s segments) add(g segment) segments {
	if k := len(s) - 1; k >= 0 && g.literal && s[k].literal && s[k].file == g.file &&
		s[k].src+s[k].n == g.src && s[k].out+s[k].n == g.out {
		s[k].n += g.n
		return s
	}
	return append(s, g)
}

// literal tells whether all bytes from lo to hi, and those on either side of
// them, are copied from some file.
func (s segments) literal(lo, hi int) bool {
	for i := max(0, s.at(lo-1)); i < len(s) && int(s[i].out) <= hi; i++ {
		if !s[i].literal {
			return false
		}
	}
	return true
}
