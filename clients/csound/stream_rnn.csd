; stream-rnn in Csound: plays a stream, and controls it.
;
;   1. In a terminal:  stream-rnn serve
;   2. In another:     csound stream_rnn.csd                  (or open it in CsoundQt and run it)
;   3. Control it by score lines: type them in that terminal, or in CsoundQt's live event sheet:
;        i "temperature" 0 1 0.4
;        i "artist" 0 1 "Emily Dickinson" 2 "Edgar Allan Poe" 1
;        i "pause" 0 1
;        i "play" 0 1
;
; Csound holds each message until its timetag: notes begin when they are due, to within one control
; period, plus the delay of the sound card.
<CsoundSynthesizer>
<CsOptions>
-odac -d -m0 -L stdin
</CsOptions>
<CsInstruments>
sr     = 48000 ; with JACK: its rate
ksmps  = 32
nchnls = 2
0dbfs  = 1

; Where the server is, and what it should play.
gShost = "127.0.0.1"
giPort = 8766
giMyPort = 9007
gSsession = "main"
gSmodel = "nottingham-joint" ; "lyrics" has artists to blend

giListen OSCinit giMyPort
giScale[] fillarray 0, 2, 4, 7, 9
gkHeard init 0 ; time of the server's last message
gkPrint init 0 ; printf prints when this changes

; Makes the address of an action of our session.
opcode address, S, S
  Saction xin
  xout sprintf("/rnn/%s/%s", gSsession, Saction)
endop

; Incoming messages. Several may be ready in one control period: read until none is left.

instr listen_char
  Stext init ""
  kn init 0
more:
  kgot OSClisten giListen, address("char"), "si", Stext, kn
  if kgot == 0 kgoto done
    gkHeard times
    gkPrint += 1
    printf "char %s %d\n", gkPrint, Stext, kn
    kcode strchark Stext, 0
    kstep = kcode & 31
    if kcode == 10 then
      event "i", "pluck", 0, 1, 36
    elseif kcode != 32 then
      ; A letter's place in the alphabet is a step of a pentatonic scale; a space is a rest.
      event "i", "pluck", 0, 1, 48 + giScale[kstep % 5] + 12 * (int(kstep / 5) % 3)
    endif
    kgoto more
done:
endin

instr listen_note
  kpitch, kvelocity, kseconds init 0, 0, 0
more:
  kgot OSClisten giListen, address("note"), "iif", kpitch, kvelocity, kseconds
  if kgot == 0 kgoto done
    gkHeard times
    gkPrint += 1
    printf "note %d %d %f\n", gkPrint, kpitch, kvelocity, kseconds
    ; The fraction of the instrument's number identifies the held pitch, so that it can be ended.
    kinstance = nstrnum("note") + kpitch / 1000
    if kvelocity > 0 then
      event "i", kinstance, 0, -1, kpitch, kvelocity
    else
      event "i", -kinstance, 0, 0
    endif
    kgoto more
done:
endin

; `controlled` names the control, its value and the first symbol that obeys it.
instr listen_controlled
  Sname init ""
  Svalue init ""
  kvalue, kn init 0, 0
number:
  kgot OSClisten giListen, address("controlled"), "sfi", Sname, kvalue, kn
  if kgot == 0 kgoto words
    gkPrint += 1
    printf "controlled %s %g %d\n", gkPrint, Sname, kvalue, kn
    kgoto number
words:
  kgot OSClisten giListen, address("controlled"), "ssi", Sname, Svalue, kn
  if kgot == 0 kgoto done
    gkPrint += 1
    printf "controlled %s %s %d\n", gkPrint, Sname, Svalue, kn
    kgoto words
done:
endin

; Subscribes again and again: that does no harm, and finds a server that was restarted.
instr watch
  Smodel init ""
  Sseed init ""
  kposition, kplaying, kbeats init 0, 0, 0
  kbeat metro 0.5
  know times
  OSCsend 1, gShost, giPort, address("open"), "s", gSmodel
  kbeats += kbeat
  OSCsend kbeats, gShost, giPort, "/rnn/subscribe", "si", gSsession, giMyPort
  kgot OSClisten giListen, address("opened"), "sisi", Smodel, kposition, Sseed, kplaying
  if kgot == 1 then
    gkHeard = know
  endif
  if kbeat == 1 && know - gkHeard > 5 then
    printf "stream-rnn: nothing from %s:%d\n", kbeats, gShost, giPort
    turnoff2 nstrnum("note"), 0, 1
  endif
endin

; Controls

instr temperature
  OSCsend 1, gShost, giPort, address("temperature"), "f", p4
endin

instr artist
  Sone strget p4
  Stwo strget p6
  OSCsend 1, gShost, giPort, address("artist"), "sfsf", Sone, p5, Stwo, p7
endin

instr pause
  OSCsend 1, gShost, giPort, address("pause"), ""
endin

instr play
  OSCsend 1, gShost, giPort, address("play"), ""
endin

; Sound

instr pluck
  asound pluck 0.3, cpsmidinn(p4), cpsmidinn(p4), 0, 1
  asound *= linsegr(1, 0.6, 0, 0.1, 0)
  outs asound, asound
endin

instr note
  asound vco2 0.12 * p5 / 127, cpsmidinn(p4)
  asound moogladder asound, 4 * cpsmidinn(p4), 0.1
  asound *= linsegr(0, 0.004, 1, 0.2, 0.5, 0.15, 0)
  outs asound, asound
endin

schedule "listen_char", 0, -1
schedule "listen_note", 0, -1
schedule "listen_controlled", 0, -1
schedule "watch", 0, -1
</CsInstruments>
<CsScore>
f 0 z ; play until it is stopped
</CsScore>
</CsoundSynthesizer>
