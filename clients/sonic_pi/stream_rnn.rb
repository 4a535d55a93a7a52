# stream-rnn in Sonic Pi: plays a stream on time, and controls it.
#
#   1. In a terminal:  stream-rnn serve
#   2. Open this file in a buffer (Load) and press Run.
#   3. Control it: change temperature, artists or playing below and press Run again. Only your
#      changes are sent, and the music goes on.

# Where the server is, and what it should play.
host = "127.0.0.1"
port = 8766
my_port = 9010
cue_port = 4560
session = "main"
model = "nottingham-joint"

# Steering. The model "lyrics" has artists to blend, for example
# artists = {"Emily Dickinson" => 2, "Edgar Allan Poe" => 1}
temperature = 0.8
artists = {}
playing = true

use_debug false
use_cue_logging false
use_osc host, port

# Sonic Pi ignores OSC bundles, but timed messages come in bundles. This thread waits until a
# bundle's time, and passes on its first message as a cue: a character, or a frame. (The frame's
# notes follow in the bundle, but a cue for each would be too many for Sonic Pi.)
# The thread outlives a Run, so that nothing is lost then.
ports = [host, my_port, cue_port]
unless $rnn_bridge && $rnn_bridge.alive? && $rnn_ports == ports
  $rnn_bridge.kill if $rnn_bridge
  $rnn_socket.close if $rnn_socket
  $rnn_ports = ports
  $rnn_socket = UDPSocket.new
  $rnn_socket.bind(host == "127.0.0.1" ? host : "0.0.0.0", my_port)
  $rnn_bridge = Thread.new($rnn_socket) do |socket|
    while true
      message, _ = socket.recvfrom(65536)
      if message.start_with?("#bundle\0")
        seconds, fraction, size = message[8, 12].unpack("NNN")
        wait = seconds - 2208988800 + fraction / 4294967296.0 - Time.now.to_f
        Kernel.sleep(wait) if wait > 0
        message = message[20, size]
      end
      socket.send(message, 0, "127.0.0.1", cue_port)
      Kernel.sleep(0.002) # `sync` misses a cue that comes right behind another
    end
  end
end

# Subscribing every two seconds does no harm, and finds a server that was restarted.
osc "/rnn/#{session}/open", model # if the session exists already, the answer is an error
sleep 0.1
live_loop :rnn_subscribe do
  osc "/rnn/subscribe", session, my_port
  sleep 2
end

# Sends the values that have changed since the last Run.
$rnn_was ||= {temperature: nil, artists: {}, playing: true}
osc "/rnn/#{session}/temperature", temperature if temperature != $rnn_was[:temperature]
osc "/rnn/#{session}/artist", *artists.to_a.flatten if artists != $rnn_was[:artists]
osc "/rnn/#{session}/#{playing ? "play" : "pause"}" if playing != $rnn_was[:playing]
$rnn_was = {temperature: temperature, artists: artists, playing: playing}

# Cues from the thread above

cues = "/osc:127.0.0.1:#{my_port}/rnn/#{session}"

live_loop :rnn_char do
  use_real_time
  text, n = sync "#{cues}/char"
  puts "char #{text} #{n}"
  # A letter's place in the alphabet is a step of a pentatonic scale; a space is a rest, the end of
  # a line a low note.
  step = text.ord & 31
  pitch = 48 + [0, 2, 4, 7, 9][step % 5] + 12 * (step / 5 % 3)
  synth :pluck, note: (text == "\n" ? 36 : pitch), release: 0.6 unless text == " "
end

# Notes are faded, not killed; a note that no message ends, ends by itself.
$rnn_sounding ||= {}
release = ->(node) { control node, amp: 0, amp_slide: 0.1 }

live_loop :rnn_frame do
  use_real_time
  frame = sync("#{cues}/frame").to_a
  puts "frame #{frame.join(" ")}"
  ($rnn_sounding.keys - frame).each { |pitch| release.call($rnn_sounding.delete(pitch)) }
  (frame - $rnn_sounding.keys).each do |pitch|
    $rnn_sounding[pitch] = synth :saw, note: pitch, amp: 0.2, cutoff: pitch + 24,
      attack: 0.005, sustain: 4, release: 0.2
  end
end

live_loop :rnn_paused do
  use_real_time
  sync "#{cues}/paused"
  puts "paused"
  $rnn_sounding.values.each { |node| release.call(node) }
  $rnn_sounding = {}
end

# The control, its value, and the first symbol that obeys it.
live_loop :rnn_controlled do
  use_real_time
  name, value, n = sync "#{cues}/controlled"
  puts "controlled #{name} #{value} #{n}"
end

live_loop :rnn_error do
  use_real_time
  code, message = sync "/osc*/rnn/error"
  puts "stream-rnn: #{code}: #{message}" unless code == "session_exists"
end
