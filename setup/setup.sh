# shellcheck shell=sh
# The set-up that ./kiosk and ./check share: look, tell, ask, install.
#
# Expects $here (the checkout), $again (what the person typed) and $assume_yes.
#
# Rule of this file: nothing is changed and nothing fetched before the person has
# been told what, why, and that it does not go through Tor.
# shellcheck disable=SC2154

# shellcheck source=setup/say.sh
. "$here/setup/say.sh"
# shellcheck source=setup/packages.sh
. "$here/setup/packages.sh"
# shellcheck source=setup/venv.sh
. "$here/setup/venv.sh"

# set_up VENV PACKAGE...: afterwards the packages and .venv/VENV are there.
set_up() {
    environment=$1
    shift
    [ "$(uname -s)" = Linux ] ||
        give_up "coykiosk runs on Linux only, and this is $(uname -s)." \
            "README.md says why; Debian on another machine or on a USB stick will do."
    build=no
    if ! venv_is_complete "$environment"; then
        build=yes
        find_python
        set -- "$@" "$venv_package"
    fi
    find_missing "$@"
    if [ "$build" = yes ] || [ -n "$missing" ]; then
        # Package names have no spaces: splitting is meant, here and below.
        # shellcheck disable=SC2086
        set_up_now $missing
    fi
    compile_sources "$environment"
}

# set_up_now PACKAGE...: those are missing; $build tells whether the venv is, too.
set_up_now() {
    [ "$build" = no ] || refuse_foreign_checkout
    if [ $# -gt 0 ]; then
        refuse_without_apt "$@"
        refuse_without_root "$@"
    fi
    # Ctrl-C ends what is at work first (apt-get under sudo, pip), and then us.
    trap 'interrupted 129' HUP
    trap 'interrupted 130' INT
    trap 'interrupted 143' TERM
    tell_plan "$@"
    agreed "Go on?" ||
        give_up "Nothing was installed." "Run $again again when it suits you."
    [ $# -eq 0 ] || install_missing "$@"
    if [ "$build" = yes ]; then
        lock_checkout
        venv_is_complete "$environment" || build_venv "$environment"
        exec 8>&-
    fi
    trap - HUP INT TERM
    say "The set-up is done."
    say ""
}

tell_plan() {
    say "Setting up coykiosk in $here; this is needed once."
    if [ $# -gt 0 ]; then
        say ""
        if [ "$(id -u)" -eq 0 ]; then
            say "To be installed from Debian (no service is started, now or at boot):"
        else
            say "To be installed from Debian with sudo (no service is started, now or at boot):"
        fi
        list_things "$@"
    fi
    if [ "$build" = yes ]; then
        say ""
        say "To be downloaded from the Python package index into .venv/$environment:"
        say "  $(count_packages "$environment") packages, each checked against its hash in requirements/"
    fi
    say ""
    say "This set-up is the one thing that does not go through Tor: whoever watches this"
    say "network, and the servers asked, see this address fetch these packages."
    say ""
}

# What root writes into somebody else's checkout, that person cannot delete.
refuse_foreign_checkout() {
    if ! [ -w "$here" ]; then
        give_up "The set-up writes into $here, and you may not." \
            "Clone coykiosk into a directory of your own and run $again there."
    fi
    owner=$(stat -c %u "$here")
    # Where a machine builds (CI), root in a foreign checkout is the way it is done.
    if [ "$(id -u)" -eq 0 ] && [ "$owner" -ne 0 ] && [ -z "${CI:-}" ]; then
        give_up "$here belongs to $(stat -c %U "$here"), and you are root: the set-up would leave files there that only root can delete." \
            "Run $again as $(stat -c %U "$here"), without sudo; it asks for sudo itself."
    fi
}
