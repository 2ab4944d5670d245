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
    trap 'stop_beside; rm -rf "$work"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir "$work/home"
    : >"$work/table"
    : >"$work/counts"
    started=$(date +%s)
    beside=
    beside_name=
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

# pytest MARKERS [ARGUMENT...]: $through, when set, is what measures it: words between
# -m and pytest. $before, when set, is what runs it.
pytest() {
    chosen=$1
    shift
    # The words of $before and $through are meant to be split.
    # shellcheck disable=SC2086
    clean ${before:-} "$bin/python" -P -m ${through:-} pytest -q -ra \
        --color="$colour" --durations=5 --durations-min=5 -m "$chosen" "$@" 2>&1
}

# run_pytest MARKERS [ARGUMENT...]: sets $status to pytest's own and $summary to its
# closing line.
run_pytest() {
    markers=$1
    shift
    # A shell pipe has no status but its last command's, so pytest's goes into a file.
    # tee lives through Ctrl-C, so that pytest can end what it started and say so.
    {
        status=0
        pytest "$markers" "$@" || status=$?
        echo "$status" >"$work/status"
    } | (
        trap '' INT
        exec tee "$work/said"
    )
    status=$(cat "$work/status")
    sum_up "$work/said"
}

# sum_up FILE: sets $summary to the closing line of what pytest said there.
sum_up() {
    escape=$(printf '\033')
    summary=$(sed "s/$escape\[[0-9;]*m//g" "$1" | grep -E ' in [0-9.]+s' | tail -n 1) || summary=
    say "$summary" >>"$work/counts"
}

# begin_beside NAME MARKERS: where there is a second processor, start this stage now;
# `tests` of the same name tells of it when it is its turn. It had better be one that
# mostly waits, for timers and for other programs.
begin_beside() {
    [ "$(nproc 2>/dev/null || echo 1)" -gt 1 ] || return 0
    beside_name=$1
    run_beside "$2" &
    beside=$!
}

run_beside() {
    trap - EXIT HUP INT TERM
    # Without this a Ctrl-C, and `stop_beside`, would be nothing to it; and it says who
    # it is, so that it can be told to end.
    before="env --default-signal=INT sh $here/setup/named.sh $work/beside.pid"
    began=$(date +%s)
    status=0
    pytest "$1" >"$work/beside.said" || status=$?
    rm -f "$work/beside.pid"
    echo $(($(date +%s) - began)) >"$work/beside.took"
    echo "$status" >"$work/beside.status.new"
    mv "$work/beside.status.new" "$work/beside.status"
}

# End what runs beside, and let it end what it has started itself.
stop_beside() {
    [ -n "$beside" ] || return 0
    kill "$beside" 2>/dev/null || :
    pid=$(cat "$work/beside.pid" 2>/dev/null) || pid=
    while [ -n "$pid" ] && kill -INT "$pid" 2>/dev/null; do
        sleep 1
    done
}

# Wait for what runs beside; sets $status, $summary and when it began.
tell_beside() {
    while [ ! -e "$work/beside.status" ] && kill -0 "$beside" 2>/dev/null; do
        sleep 1
    done
    cat "$work/beside.said"
    status=$(cat "$work/beside.status" 2>/dev/null) || status=1
    took=$(cat "$work/beside.took" 2>/dev/null) || took=0
    stage_started=$(($(date +%s) - took))
    sum_up "$work/beside.said"
}

# tests NAME MARKERS [ARGUMENT...]
tests() {
    name=$1
    shift
    open_stage "$name"
    case $name in
        "$beside_name") tell_beside ;;
        *) run_pytest "$@" ;;
    esac
    if [ "$status" -eq 5 ]; then
        # A stage without a test is a mistake: this status of pytest is a failure, too.
        say "No test is marked: $1." >&2
    fi
    close_stage "$name" "$status" "$summary"
}

# covered_tests NAME MARKERS [ARGUMENT...]: the same, and the lines and branches that
# pyproject.toml names for coverage must all have run.
covered_tests() {
    name=$1
    shift
    open_stage "$name"
    through="coverage run --data-file=$work/coverage -m"
    run_pytest "$@"
    through=
    [ "$status" -ne 5 ] || say "No test is marked: $1." >&2
    if [ "$status" -eq 0 ]; then
        clean "$bin/python" -m coverage report --data-file="$work/coverage" || status=$?
    fi
    close_stage "$name" "$status" "$summary"
}

# fuzz NAME SECONDS, for each target. atheris is built for one kind of machine only
# (requirements/check.in); elsewhere the corpus is still replayed by the tests.
fuzz() {
    if [ "$(uname -m)" != x86_64 ]; then
        say ""
        say "== $1: NOT RUN, there is no atheris for $(uname -m)"
        printf '  %-18s %6s  %s\n' "$1" - "not run on $(uname -m)" >>"$work/table"
        return 0
    fi
    stage "$1" "$bin/python" -m tests.fuzz --seconds "$2"
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
