# shellcheck shell=sh
# Which programs and libraries are missing, and how they come onto the machine.
#
# Rule of this file: what counts is that the thing is there, however it came; a
# package name matters only when it is not. Whatever needs root happens in
# install.sh, in one process.
# shellcheck disable=SC2154 # $here and $again are ./kiosk's and ./check's; $python venv.sh's

otr3_source=/usr/share/gocode/src/github.com/twstrike/otr3

# What a thing is for, as it is told to the person.
purpose_of() {
    case $1 in
        tor) say "the Tor network, the only way out" ;;
        python3*-venv) say "a private place for coykiosk's Python packages" ;;
        ca-certificates) say "to check the certificates of servers" ;;
        obfs4proxy | snowflake-client) say "a way into Tor by bridges, to be tested" ;;
        prosody) say "the XMPP server of the practice network" ;;
        ejabberd) say "another XMPP server, to be refused by" ;;
        mcabber) say "another OTR client, to test against" ;;
        profanity) say "an OTR client of the old kind, to test against" ;;
        libotr5-dev) say "the reference OTR library, to test against" ;;
        gcc | libc6-dev) say "to build the tests' libotr peer" ;;
        golang-github-twstrike-otr3-dev) say "the OTR library of CoyIM, to test against" ;;
        golang-go) say "to build the tests' peer that speaks with it" ;;
        tmux) say "a terminal to drive profanity in" ;;
        strace) say "to see every connection that is made" ;;
        git) say "for the tests of the checkout" ;;
        *) say "needed" ;;
    esac
}

# The program or file by which one recognises it, for systems that name their
# packages in another way.
sign_of() {
    case $1 in
        python3*-venv) say "Python's modules venv and ensurepip" ;;
        ca-certificates) say "/etc/ssl/certs/ca-certificates.crt" ;;
        libotr5-dev) say "/usr/include/libotr/proto.h" ;;
        libc6-dev) say "/usr/include/stdio.h" ;;
        golang-github-twstrike-otr3-dev) say "$otr3_source" ;;
        golang-go) say "the program go" ;;
        tor) say "the programs tor and tor-gencert" ;;
        ejabberd) say "the programs ejabberdctl and erl" ;;
        *) say "the program $1" ;;
    esac
}

has_program() {
    command -v "$1" >/dev/null 2>&1
}

is_there() {
    case $1 in
        python3*-venv) "$python" -I -c 'import ensurepip, venv' 2>/dev/null ;;
        ca-certificates)
            [ -s /etc/ssl/certs/ca-certificates.crt ] ||
                [ -s /etc/pki/tls/certs/ca-bundle.crt ] ||
                [ -s /etc/ssl/cert.pem ]
            ;;
        libotr5-dev) [ -e /usr/include/libotr/proto.h ] ;;
        libc6-dev) [ -e /usr/include/stdio.h ] ;;
        golang-github-twstrike-otr3-dev) [ -d "$otr3_source" ] ;;
        golang-go) has_program go ;;
        tor) has_program tor && has_program tor-gencert ;;
        ejabberd) has_program erl && has_program ejabberdctl ;;
        *) has_program "$1" ;;
    esac
}

# Of the packages named, those that dpkg began to install and did not finish (a
# second letter H, U or F): their files may be there and still not work.
half_installed() {
    # dpkg-query fails when it does not know one of the names; the others are told.
    dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null |
        while read -r state name; do
            case $state in
                ?[HUF]*) say "$name" ;;
            esac
        done
}

# Sets $missing to those of the packages named that are not there (in order).
find_missing() {
    missing=
    half=
    if has_program dpkg-query; then
        half=" $(half_installed "$@" | tr '\n' ' ')"
    fi
    for name in "$@"; do
        case $half in
            *" $name "*) missing="$missing $name" ;;
            *) is_there "$name" || missing="$missing $name" ;;
        esac
    done
    missing=${missing# }
}

list_things() {
    for name in "$@"; do
        printf '  %-16s %s\n' "$name" "$(purpose_of "$name")"
    done
}

# Without apt-get nothing can be installed from here: name the things and end.
refuse_without_apt() {
    has_program apt-get && return 0
    {
        say "These are missing:"
        for name in "$@"; do
            printf '  %s (%s)\n' "$(sign_of "$name")" "$(purpose_of "$name")"
        done
    } >&2
    give_up "The set-up installs packages on Debian and its relatives only, and there is no apt-get here." \
        "Install these with this system's own package manager, then run $again again."
}

# Ends with the exact command unless we are root or sudo is there.
refuse_without_root() {
    [ "$(id -u)" -eq 0 ] && return 0
    has_program sudo && return 0
    give_up "Packages are missing, and installing them takes root; there is no sudo here." \
        "As root, run:  sh '$here/setup/install.sh' $*" \
        "Then run $again again as yourself."
}

install_missing() {
    status=0
    if [ "$(id -u)" -eq 0 ]; then
        sh "$here/setup/install.sh" "$@" || status=$?
    elif [ -t 0 ]; then
        sudo -- sh "$here/setup/install.sh" "$@" || status=$?
    else
        # Nobody can type a password.
        sudo -n -- sh "$here/setup/install.sh" "$@" || status=$?
    fi
    case $status in
        0) ;;
        # sudo ends with 1 when it refuses; install.sh never does.
        1)
            give_up "sudo did not let us install packages." \
                "As root, run:  sh '$here/setup/install.sh' $*" \
                "Then run $again again as yourself."
            ;;
        # Under sudo, Ctrl-C reaches install.sh and not us.
        129 | 130 | 143) interrupted "$status" ;;
        # install.sh has said what happened and what to do.
        *) exit 1 ;;
    esac
    hash -r
    wanted=$*
    find_missing "$@"
    if [ -n "$missing" ]; then
        give_up "apt-get installed $wanted, but this is still not to be found: $missing." \
            "Look at its state with:  dpkg-query -l $missing" \
            "and at the PATH of this shell, then run $again again."
    fi
}
