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
