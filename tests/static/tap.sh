# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# For the static checks: silence is success.

cd "$(dirname "$0")/../.." || exit
# The tools are Debian's, whatever else root may have installed for itself.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
: "${CACHE:=$PWD/.cache}"
tap_count=0
tap_failed=0

# silent NAME COMMAND...: the command ends with 0 and has nothing to say
silent() {
	tap_name=$1
	shift
	tap_count=$((tap_count + 1))
	if tap_said=$("$@" 2>&1) && [ -z "$tap_said" ]; then
		echo "ok $tap_count - $tap_name"
	else
		echo "not ok $tap_count - $tap_name"
		echo "$tap_said" | sed 's/^/# /'
		tap_failed=1
	fi
}

# silent_once KEY NAME COMMAND...: the same, but what was silent with this KEY, a
# hash of all that goes in, is not asked again
silent_once() {
	tap_stamp=$CACHE/static/$1
	shift
	if [ -e "$tap_stamp" ]; then
		tap_count=$((tap_count + 1))
		echo "ok $tap_count - $1, and nothing has changed since"
		return
	fi
	tap_before=$tap_failed
	tap_failed=0
	silent "$@"
	if [ $tap_failed -eq 0 ]; then
		mkdir -p "$CACHE/static"
		: >"$tap_stamp"
		tap_failed=$tap_before
	fi
}

# key NAME FILE...: for silent_once, a hash of the name, of what judges, of the
# script that asks and of these files, of directories all that is ours
key() {
	{
		echo "$1"
		shift
		dpkg-query -W gcc clang-format cppcheck libc6-dev libmnl-dev libpcap0.8-dev 2>&1
		git ls-files --cached --others --exclude-standard -- \
			"tests/static/${0##*/}" "$@" | xargs -rd '\n' sha256sum
	} | sha256sum | cut -c1-16
}

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

finish() {
	echo "1..$tap_count"
	exit $tap_failed
}

# Our files that are shell scripts, by their first line.
shell_scripts() {
	git ls-files --cached --others --exclude-standard | while read -r file; do
		[ -f "$file" ] || continue
		read -r first <"$file" 2>/dev/null || :
		case $first in
		'#!/bin/sh'* | '#!/bin/bash'* | '#!/usr/bin/env bash'* | \
		'#!/bin/busybox sh'* | '# shellcheck shell='*)
			echo "$file" ;;
		esac
	done
}
