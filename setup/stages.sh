# shellcheck shell=sh
# The stages of ./check: each says its name and its time, and the first that fails
# ends the run.
#
# Expects $here and $bin (./check), say and person_is_there (say.sh).
#
# Rule of this file: a stage sees the checkout and the machine's programs, and
# nothing of the person's configuration.
# shellcheck disable=SC2154 # $here and $bin are ./check's

begin_stages() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir "$work/home"
    : >"$work/table"
    : >"$work/counts"
    started=$(date +%s)
    colour=no
    if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
        colour=yes
    fi
}

# An environment from nothing: no TOR_*, GIT_*, PYTEST_*, XDG_* of the person gets in.
# With CI set, Hypothesis draws the same examples each time and keeps no database.
clean() {
    env -i PATH="$PATH" HOME="$work/home" USER="$(id -un)" LOGNAME="$(id -un)" \
        SHELL=/bin/sh TERM=xterm-256color LC_ALL=C.UTF-8 TZ=UTC CI=true \
        ${TMPDIR:+TMPDIR="$TMPDIR"} PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 \
        "$@" </dev/null
}

shell_syntax() {
    for file in "$@"; do
        sh -n "$file" || return 1
    done
}

open_stage() {
    say ""
    say "== $1"
    stage_started=$(date +%s)
}

# close_stage NAME STATUS [WHAT IT SAID]
close_stage() {
    took=$(($(date +%s) - stage_started))
    if [ "$2" -ne 0 ]; then
        say "" >&2
        say "./check: $1 failed after $took s; nothing after it was run." >&2
        exit 1
    fi
    say "-- $1: passed in $took s"
    printf '  %-18s %4s s  %s\n' "$1" "$took" "${3:-}" >>"$work/table"
}

# stage NAME COMMAND...
stage() {
    name=$1
    shift
    open_stage "$name"
    status=0
    case $1 in
        shell_syntax) "$@" || status=$? ;;
        *) clean "$@" || status=$? ;;
    esac
    close_stage "$name" "$status"
}

# Sets $status to pytest's own and $summary to its closing line.
run_pytest() {
    # A shell pipe has no status but its last command's, so pytest's goes into a file.
    # tee lives through Ctrl-C, so that pytest can end what it started and say so.
    {
        status=0
        clean "$bin/python" -P -m pytest -q -ra --color="$colour" \
            --durations=5 --durations-min=5 -m "$1" 2>&1 || status=$?
        echo "$status" >"$work/status"
    } | (
        trap '' INT
        exec tee "$work/said"
    )
    status=$(cat "$work/status")
    escape=$(printf '\033')
    summary=$(sed "s/$escape\[[0-9;]*m//g" "$work/said" | grep -E ' in [0-9.]+s' | tail -n 1) || summary=
    say "$summary" >>"$work/counts"
}

# tests NAME MARKERS: a stage without a test is a mistake, so pytest's 5 (nothing
# collected) fails like any other.
tests() {
    open_stage "$1"
    run_pytest "$2"
    if [ "$status" -eq 5 ]; then
        say "No test is marked: $2." >&2
    fi
    close_stage "$1" "$status" "$summary"
}

# The same, where having no test is all right.
tests_if_any() {
    open_stage "$1"
    run_pytest "$2"
    if [ "$status" -eq 5 ]; then
        status=0
        summary="none yet"
    fi
    close_stage "$1" "$status" "$summary"
}

# The numbers of all test stages, in the words of one closing line.
count_all() {
    tr ',' '\n' <"$work/counts" | awk '
        $2 == "passed" { passed += $1 }
        $2 == "skipped" || $2 == "xfailed" { skipped += $1 }
        END {
            printf "%d passed, 0 failed", passed
            if (skipped) printf ", %d skipped", skipped
            printf "\n"
        }'
}

end_stages() {
    say ""
    say "Every stage passed, in $(($(date +%s) - started)) s:"
    cat "$work/table"
    say ""
    count_all
}
