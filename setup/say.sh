# shellcheck shell=sh
# How the set-up talks: plain sentences, and questions only when a person is there.
#
# Rule of this file: nothing here changes the machine.
# shellcheck disable=SC2154 # $again is ./kiosk's and ./check's

say() {
    printf '%s\n' "$*"
}

# What happened, then what to do, each a sentence of its own; then the end.
give_up() {
    printf '\n' >&2
    for sentence in "$@"; do
        printf '%s\n' "$sentence" >&2
    done
    exit 1
}

# The end after Ctrl-C and the like; $1 is the exit status.
interrupted() {
    printf '\nInterrupted. What is done stays done; %s goes on from there.\n' "$again" >&2
    exit "$1"
}

person_is_there() {
    [ -t 0 ] && [ -t 1 ]
}

# True unless a person, being there and not having said --yes, says no.
# The end of input (Ctrl-D) is a no.
agreed() {
    if [ "${assume_yes:-no}" = yes ] || ! person_is_there; then
        return 0
    fi
    printf '%s [Y/n] ' "$1"
    answer=
    read -r answer || { printf '\n'; return 1; }
    case $answer in
        '' | y | Y | yes | Yes | YES) return 0 ;;
        *) return 1 ;;
    esac
}
