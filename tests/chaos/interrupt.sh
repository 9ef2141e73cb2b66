#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Ctrl-C on either side: its exit status is 0, the other side has no error, and
# no socket file is left.
set -euo pipefail

folder=$(mktemp -d "${TMPDIR:-/tmp}/shmframe-XXXXXX")
producer='' consumer=''
end() {
  # shellcheck disable=SC2086
  kill -KILL $producer $consumer 2>/dev/null || true
  rm -rf "$folder"
}
trap end EXIT

fail() {
  echo "$1" >&2
  cat "$folder"/*.log >&2
  exit 1
}

# The log is emptied before the process is there: what is awaited may stand in the
# one of the process before.
start_producer() {
  : >"$folder/producer.log"
  gst-launch-1.0 videotestsrc is-live=true \
    ! video/x-raw,width=320,height=240,framerate=50/1 \
    ! shmframesink socket-path="$folder/s" >"$folder/producer.log" 2>&1 &
  producer=$!
}

start_consumer() {
  : >"$folder/consumer.log"
  gst-launch-1.0 -v shmframesrc socket-path="$folder/s" "$@" \
    ! fakesink silent=false sync=false >"$folder/consumer.log" 2>&1 &
  consumer=$!
}

# Until the consumer's log has so many frames (or more) than it has now.
await_frames() {
  local before now
  before=$(grep -c chain "$folder/consumer.log" || true)
  for ((i = 0; i < 400; i++)); do
    now=$(grep -c chain "$folder/consumer.log" || true)
    ((now >= before + $1)) && return
    sleep 0.05
  done
  fail "no frames"
}

# Ends the process by Ctrl-C: status 0, and within a few seconds.
interrupt() {
  local pid=$1 status=0
  kill -INT "$pid"
  for ((i = 0; i < 400; i++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" || status=$?
  ((status == 0)) || fail "exit status $status after Ctrl-C"
}

no_error() {
  ! grep -q ERROR "$folder/$1.log" || fail "$1: an error"
}

# The consumer goes, and comes again: the producer goes on.
start_producer
start_consumer
await_frames 5
interrupt "$consumer"
start_consumer
await_frames 5
no_error producer

# The producer goes: the consumer waits for the next.
interrupt "$producer"
no_error producer
[[ ! -e $folder/s ]] || fail "a socket file was left behind"
start_producer
await_frames 5
no_error consumer
interrupt "$consumer"
no_error consumer

# on-disconnect=eos: the consumer ends by itself, without an error.
start_consumer on-disconnect=eos
await_frames 5
interrupt "$producer"
status=0
wait "$consumer" || status=$?
((status == 0)) || fail "exit status $status after the producer stopped"
no_error consumer
[[ ! -e $folder/s ]] || fail "a socket file was left behind"

# The consumer first, alone: Ctrl-C while it waits.
start_consumer
sleep 0.5
interrupt "$consumer"
no_error consumer

# With -e, Ctrl-C asks for EOS, which comes behind the frame that waits.
start_offline() {
  : >"$folder/producer.log"
  gst-launch-1.0 -e "$@" ! shmframesink socket-path="$folder/s" \
    client-timeout=1000000000 >"$folder/producer.log" 2>&1 &
  producer=$!
}

# Until the producer has said this so many times.
await_said() {
  for ((i = 0; i < 400; i++)); do
    (($(grep -c "$2" "$folder/producer.log") >= $1)) && return
    sleep 0.05
  done
  fail "the producer never said: $2"
}

film=(videotestsrc ! 'video/x-raw,width=320,height=240')
head -c 23040000 /dev/zero >"$folder/raw"
for source in film file; do
  line=("${film[@]}")
  [[ $source == film ]] || line=(filesrc location="$folder/raw" ! rawvideoparse \
    width=320 height=240 ! queue)

  # No consumer has come.
  start_offline "${line[@]}"
  await_said 1 'Waiting for 1 consumer'
  interrupt "$producer"
  no_error producer
  await_said 1 'left out'

  # It came, and left.
  start_offline "${line[@]}"
  await_said 1 'Waiting for 1 consumer'
  start_consumer num-buffers=5
  await_said 2 'Waiting for 1 consumer'
  wait "$consumer"
  interrupt "$producer"
  no_error producer

  # It takes nothing. Killed, what it had not taken is told.
  start_offline "${line[@]}"
  start_consumer ! identity sleep-time=100000000
  await_said 1 'Waiting for consumer'
  interrupt "$producer"
  no_error producer
  kill -KILL "$consumer"
  wait "$consumer" || true
done

# A consumer that is stopped is given up; when it goes on, it connects again.
start_offline "${film[@]}"
await_said 1 'Waiting for 1 consumer'
start_consumer
await_frames 5
kill -STOP "$consumer"
await_said 1 'was disconnected (slow).*are lost'
await_said 2 'Waiting for 1 consumer'
kill -CONT "$consumer"
await_frames 5
grep -q '(slow).*frames are lost' "$folder/consumer.log" \
  || fail "the consumer does not say what it lost"
no_error consumer
interrupt "$producer"
no_error producer
status=0
wait "$consumer" || status=$?
((status == 0)) || fail "exit status $status after EOS"

# The only one is killed: what it had not taken is told, the rest waits.
start_offline "${film[@]}"
await_said 1 'Waiting for 1 consumer'
start_consumer ! identity sleep-time=3000000
await_said 1 'Waiting for consumer'
kill -KILL "$consumer"
wait "$consumer" || true
await_said 1 'without a word.* frames that it had not taken are lost'
await_said 2 'Waiting for 1 consumer'
start_consumer
await_frames 5
interrupt "$producer"
no_error producer
