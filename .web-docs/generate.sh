#!/bin/sh
# Generates the HCL2 spec, docs-partials/ and .web-docs/ from the comments in
# provisioner/config.go and from docs/.
#
#   generate.sh write   puts them into the working tree
#   generate.sh check   fails if that would change anything, and touches nothing
#
# packer-sdc wants a folder named packer-plugin-* above the source, whatever the
# working tree is called, so the work is done in a copy.
set -eu
mode=$1
cd "$(dirname "$0")/.."
tree=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
work=$copy/packer-plugin-freeswitch
mkdir "$work"
cp -R go.mod go.sum main.go version provisioner harden docs .web-docs "$work/"

cd "$work"
generated="provisioner/config.hcl2spec.go docs-partials .web-docs/README.md .web-docs/components"
# shellcheck disable=SC2086
rm -rf $generated
go generate ./provisioner
packer-sdc renderdocs -src docs -partials docs-partials -dst "$copy/rendered" 2>/dev/null

cp "$copy/rendered/README.md" .web-docs/README.md
for page in "$copy"/rendered/provisioners/*.mdx; do
	folder=.web-docs/components/provisioner/$(basename "$page" .mdx)
	mkdir -p "$folder"
	# The site makes the front matter and the title itself.
	awk '
		NR == 1 && /^---$/ { front = 1; next }
		front { if (/^---$/) front = 0; next }
		!begun && (/^$/ || /^# /) { next }
		{ begun = 1; print }
	' "$page" >"$folder/README.md"
done

for path in $generated; do
	case $mode in
	write)
		rm -rf "${tree:?}/$path"
		mkdir -p "$(dirname "$tree/$path")"
		cp -R "$path" "$tree/$path"
		;;
	check)
		diff -ru "$tree/$path" "$path" || {
			echo "$path is not what \"make generate\" makes of the source: run it and commit the result" >&2
			exit 1
		}
		;;
	*)
		echo "usage: generate.sh write|check" >&2
		exit 2
		;;
	esac
done
