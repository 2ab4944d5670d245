# shellcheck shell=sh
# The virtual environments .venv/run and .venv/check, from the locks in requirements/.
#
# An environment is complete when its stamp, written last and deleted first, names
# this checkout (environments do not survive a move), this Python and these locks;
# any other is built anew. Everything is written below .venv, pip's temporary files
# included, and pip keeps no cache: nothing is left elsewhere.
#
# Expects $here and $again (setup.sh), give_up (say.sh), has_program (packages.sh).
#
# Rule of this file: a package comes in by the hash in the lock or not at all.
# shellcheck disable=SC2154 # $here and $again are ./kiosk's and ./check's

# Sets $python to a Python from 3.11 to 3.13, or ends.
find_python() {
    for python in python3 python3.13 python3.12 python3.11; do
        if has_program "$python" && "$python" -I -S -c \
            'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
            # Debian's other versions, where there are any, have packages of their own.
            # shellcheck disable=SC2034 # setup.sh reads it
            venv_package=$python-venv
            return 0
        fi
    done
    if has_program python3; then
        give_up "coykiosk runs on Python 3.11, 3.12 or 3.13, and this system has $(python3 -V)." \
            "Install one of those so that python3.13, python3.12 or python3.11 is found, then run $again again."
    fi
    give_up "There is no python3 here." \
        "Install it (on Debian, as root:  apt-get install python3), then run $again again."
}

# The text of the stamp that the environment $1 has when it is complete.
stamp_for() {
    interpreter=$("$here/.venv/$1/bin/python" -I -S -c \
        'import sys; print(sys.version.split()[0])' 2>/dev/null) || return 1
    printf 'checkout %s\npython %s\nlocks %s\n' "$here" "$interpreter" \
        "$(cat "$here/requirements/build.txt" "$here/requirements/$1.txt" | sha256sum)"
}

# Coykiosk is then found from any directory without PYTHONPATH. In .venv/check the tools
# would take it for an installed package; there pytest knows the way by itself.
add_checkout_to_path() {
    # From lib/pythonX.Y/site-packages five up; relative, as Python reads this file in
    # the locale's encoding and the checkout's path may not be writable in it.
    for site in "$venv"/lib/python3*/site-packages; do
        say ../../../../.. >"$site/coykiosk-checkout.pth"
    done
}

write_stamp() {
    stamp_for "$1" >"$scratch/stamp" && mv "$scratch/stamp" "$venv/stamp"
}

venv_is_complete() {
    [ -f "$here/.venv/$1/stamp" ] || return 1
    wanted=$(stamp_for "$1") || return 1
    [ "$(cat "$here/.venv/$1/stamp")" = "$wanted" ]
}

count_packages() {
    cat "$here/requirements/build.txt" "$here/requirements/$1.txt" | grep -c '^[a-z0-9]'
}

# Another set-up of this checkout may be at work; the second waits, then finds it done.
# Closing descriptor 8 lets the lock go; so does any end of this process.
lock_checkout() {
    [ -d "$here/.venv" ] || mkdir "$here/.venv"
    if has_program flock; then
        exec 8>"$here/.venv/lock"
        flock -n 8 && return 0
        say "Another set-up of this checkout is at work; waiting for it."
        flock 8
    fi
}

build_venv() {
    venv=$here/.venv/$1
    scratch=$here/.venv/tmp
    if ! { rm -f "$venv/stamp" && rm -rf "$venv" "$scratch" && mkdir "$scratch"; }; then
        give_up "$here/.venv is in the way: somebody else, root perhaps, wrote there." \
            "As root, run:  rm -r '$here/.venv'" "Then run $again again as yourself."
    fi
    # However this ends, an environment without a stamp is built anew.
    trap 'rm -rf "$scratch"' EXIT

    say "Downloading and installing $(count_packages "$1") Python packages into .venv/$1 (a minute or so) ..."
    step "$python" -I -m venv "$venv"
    step pip_install --no-deps -r "$here/requirements/build.txt"
    # stem, urwid-readline and python-potr (which only ./check has) are published as
    # source only: pip builds those with the locked setuptools. Any other package
    # without a wheel for this machine is refused at once, not compiled for an hour.
    step pip_install --no-deps --no-build-isolation --only-binary :all: \
        --no-binary stem,urwid-readline,python-potr -r "$here/requirements/$1.txt"
    [ "$1" != run ] || step add_checkout_to_path
    # What came must load on this machine. A second resolver must not exist: with
    # aiodns, slixmpp would ask the local network for names (requirements/excluded.txt).
    step "$venv/bin/python" -I -B -c '
import importlib.util
import argon2, cryptography, gmpy2, OpenSSL, slixmpp, stem, urwid, urwid_readline, zxcvbn
for name in ("aiodns", "pycares"):
    assert importlib.util.find_spec(name) is None, name + " is here"
'
    # Should the power fail now, a stamp must not outlive the files it vouches for.
    sync -f "$venv" 2>/dev/null || :
    step write_stamp "$1"
    rm -rf "$scratch"
    trap - EXIT
}

# The person's pip.conf and PIP_* (a proxy, a mirror) hold, but not what would put
# packages elsewhere; what a mirror serves must have the hash in the lock.
pip_install() {
    (
        unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_REQUIREMENT PIP_CONSTRAINT \
            PIP_NO_BINARY PIP_ONLY_BINARY PIP_LOG PYTHONPATH PYTHONHOME \
            PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
        TMPDIR=$scratch "$venv/bin/python" -m pip install --quiet --no-input \
            --no-cache-dir --disable-pip-version-check --no-user \
            --require-hashes "$@"
    )
}

# Run a command quietly; when it fails, show its last words and ours.
step() {
    status=0
    (
        LC_ALL=C.UTF-8
        export LC_ALL
        "$@"
    ) >"$scratch/said" 2>&1 </dev/null 8>&- || status=$?
    [ "$status" -eq 0 ] && return 0
    [ "$status" -lt 128 ] || exit "$status"
    say "" >&2
    tail -n 15 "$scratch/said" >&2
    explain_step
}

said() {
    grep -q -i -E "$1" "$scratch/said"
}

# True also when the disk was too full to keep what the command said.
disk_is_full() {
    said 'No space left on device|Disk quota exceeded' && return 0
    [ "$(df -Pk "$here" | awk 'NR == 2 { print $4 }')" -lt 1024 ]
}

explain_step() {
    if disk_is_full; then
        give_up "The disk is full: the Python packages take about 250 MB in .venv." \
            "Make room, then run $again again."
    elif said 'DO NOT MATCH THE HASHES|hashes are required'; then
        give_up "A downloaded package is not the one this version of coykiosk was checked with; nothing of it was used." \
            "Try again on another network; if it stays so, tell the people you have coykiosk from."
    elif said 'NewConnectionError|name resolution|Network is unreachable|timed out|Timeout|ProxyError|SSLError|Connection (refused|reset|broken|aborted)'; then
        give_up "The Python package index cannot be reached from here." \
            "Check that this machine is on the network (a proxy goes into https_proxy), then run $again again."
    elif said 'No matching distribution found'; then
        give_up "A Python package is not to be had, or not for this kind of machine ($(uname -m), $("$python" -V))." \
            "Check the network and the package index pip uses; coykiosk is tried on Debian 12 and 13, 64 bit."
    fi
    give_up "The Python packages could not be set up; the reason is above." \
        "Mend it, then run $again again."
}

# At run time Python writes nothing, so what is new in the sources is compiled here.
# In a checkout whose set-up another user made it runs uncompiled, only slower.
compile_sources() {
    if [ -e "$here/.venv/$1/compiled" ] &&
        [ -z "$(find "$here/coykiosk" -name '*.py' -newer "$here/.venv/$1/compiled" | head -n 1)" ]; then
        return 0
    fi
    [ "$(stat -c %u "$here/.venv/$1")" = "$(id -u)" ] || return 0
    "$here/.venv/$1/bin/python" -I -m compileall -q "$here/coykiosk" ||
        give_up "A source file of coykiosk does not compile; its place is above." \
            "Mend it, or get a fresh clone."
    : >"$here/.venv/$1/compiled"
}
