# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for shmframe-top

_shmframe_top() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local flags type path

  case $prev in
    -s | --snapshot)
      mapfile -t COMPREPLY < <(compgen -f -X '!*.png' -- "$cur")
      compopt -o filenames
      return
      ;;
    -i | --interval)
      return
      ;;
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--help --interval --json --once --snapshot --version' -- "$cur")
    return
  fi
  # SOCK_SEQPACKET (5), and somebody listens. Not with compgen -W: it would expand, and
  # so run, what another user chose for a name.
  COMPREPLY=()
  while read -r _ _ _ flags type _ _ path; do
    [[ $type == 0005 && $flags == 00010000 && -n $path && $path == "$cur"* ]] \
      && COMPREPLY+=("$(printf %q "$path")")
  done < /proc/net/unix
}
complete -F _shmframe_top shmframe-top
