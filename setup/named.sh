# shellcheck shell=sh
# named.sh FILE COMMAND...: write the process's number into the file, then be the command.
echo $$ >"$1"
shift
exec "$@"
