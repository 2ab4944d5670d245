# shellcheck shell=sh
# The part of the set-up that runs as root: apt-get, with all services held.
#
# Debian starts a service as soon as its package is installed. Coykiosk wants the
# programs and not the services: a tor and an XMPP server running unasked say who
# uses this. Maintainer scripts ask /usr/sbin/policy-rc.d before they start
# anything, and 101 is its no (Debian Policy 9.3.3.1, invoke-rc.d(8)).
#
# Rule of this file: however it ends, policy-rc.d is afterwards what it was before.

policy_mark="coykiosk set-up: no service starts while packages are installed"

# True when the policy in the file $1 already forbids starting our services.
policy_forbids() {
    [ -x "$1" ] || return 1
    for name in tor prosody ejabberd; do
        verdict=0
        "$1" --quiet "$name" start >/dev/null 2>&1 </dev/null || verdict=$?
        [ "$verdict" -eq 101 ] || return 1
    done
}

policy_is_ours() {
    [ -f "$1" ] && grep -q -F "$policy_mark" "$1"
}

# Forbid starts by the policy file $1. One that forbids them already stays; another
# is put aside as $1.coykiosk-kept. Ours, left by a run that was killed, is taken
# over, so that release_services clears it away in the end.
hold_services() {
    if policy_is_ours "$1" || policy_forbids "$1"; then
        return 0
    fi
    # Order matters: the new policy is complete before it gets its name, and what
    # was there is kept before it loses its own.
    rm -f "$1.coykiosk-new"
    printf '#!/bin/sh\n# %s\nexit 101\n' "$policy_mark" >"$1.coykiosk-new"
    chmod 755 "$1.coykiosk-new"
    if [ -e "$1" ] || [ -L "$1" ]; then
        mv -f "$1" "$1.coykiosk-kept"
    fi
    mv -f "$1.coykiosk-new" "$1"
}

release_services() {
    rm -f "$1.coykiosk-new"
    if [ -e "$1.coykiosk-kept" ] || [ -L "$1.coykiosk-kept" ]; then
        mv -f "$1.coykiosk-kept" "$1"
    elif policy_is_ours "$1"; then
        rm -f "$1"
    fi
}

apt() {
    DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none \
        NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8 \
        apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 "$@" </dev/null
}

# An installation that was killed halfway, ours perhaps, blocks every later one; it is
# finished here, while the services are still held. Where another is only just at work
# this fails, and apt-get then waits for it.
finish_interrupted() {
    [ -n "$(ls "$1" 2>/dev/null)" ] || return 0
    say "An earlier installation was interrupted; finishing it."
    DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
        dpkg --force-confdef --force-confold --configure -a </dev/null || :
}

# The package lists are older than a day, or do not know what we want.
lists_are_stale() {
    fresh=$(find /var/lib/apt/lists/partial -maxdepth 0 -mtime -1 2>/dev/null) || fresh=
    [ -n "$fresh" ] || return 0
    ! apt --simulate --no-install-recommends install "$@" >/dev/null 2>&1
}

install_or_update_first() {
    updated=no
    if lists_are_stale "$@"; then
        # When one source of several is broken the packages may still be had.
        apt update || say "Not every package list could be fetched; going on with those there are." >&2
        updated=yes
    fi
    apt --no-install-recommends --no-remove install "$@" && return 0
    [ "$updated" = no ] || return 1
    # The mirror may have moved on since the lists were fetched.
    apt update || return 1
    apt --no-install-recommends --no-remove install "$@"
}

# What was not started now is not to start at the next boot either.
keep_off_at_boot() {
    for name in "$@"; do
        case $name in
            tor | prosody | ejabberd)
                update-rc.d "$name" disable >/dev/null 2>&1 ||
                    systemctl disable "$name" >/dev/null 2>&1 ||
                    say "$name would start at the next boot; to keep it off, run as root:  systemctl disable $name" >&2
                ;;
        esac
    done
}

explain_failure() {
    free=$(df -Pk /var 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }') || free=
    {
        say ""
        say "apt-get did not install: $*. Its own words are above."
        if [ -n "$free" ] && [ "$free" -lt 300 ]; then
            say "The disk has only $free MB left for it; make room, then start the set-up again."
        else
            say "Check that this machine is on the network, then start the set-up again;"
            say "what was done so far is kept."
        fi
    } >&2
}

# install_quietly POLICY_FILE LOCK_FILE PACKAGE...
install_quietly() {
    policy=$1
    lock=$2
    shift 2
    # Two set-ups at once would take each other's policy away: the second waits.
    # The kernel drops the lock with the process, however that ends.
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$lock"
        flock 9
    fi
    # dash runs no EXIT trap when a signal ends it, so each becomes an exit. It
    # waits for apt-get first: the policy goes when nothing is being installed.
    trap 'release_services "$policy"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    hold_services "$policy"
    finish_interrupted /var/lib/dpkg/updates 9>&-
    if ! install_or_update_first "$@" 9>&-; then
        explain_failure "$@"
        exit 69
    fi
    keep_off_at_boot "$@"
}
