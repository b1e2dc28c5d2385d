// Package fsxml reads FreeSWITCH configuration as FreeSWITCH does, and edits
// it without touching another byte.
//
// FreeSWITCH's configuration is not XML: it is text that a line preprocessor
// turns into one XML document (src/switch_xml.c:1424 preprocess), which a
// forgiving parser then reads (src/switch_xml.c:1053 switch_xml_parse_str). A
// general XML library sees parameters that FreeSWITCH never reads, misses
// others, and spoils values when it writes them back. So this package follows
// the two functions:
//
//   - [Load] runs the preprocessor and keeps, for every run of the resulting
//     document, the file and the offset it was copied from;
//   - a parser finds the elements in that document;
//   - an [Editor] maps a value back to its own bytes, replaces only those, and
//     reads everything again before it lets a [Change] go.
//
// Lines of FreeSWITCH's source are those of v1.10.12.
package fsxml
