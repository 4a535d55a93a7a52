// stream-rnn in ChucK: plays a stream, and controls it from the keyboard.
//
//   1. In a terminal:  stream-rnn serve
//   2. In another:     chuck stream_rnn.ck
//   3. Control it with these keys, in that terminal:
//        + -     temperature up and down
//        < >     the blend of the two artists, towards the first or the second (text models)
//        space   pause, and play on
//
// ChucK holds each message until its timetag: notes begin when they are due, plus the delay of the
// sound card.

// Where the server is, and what it should play.
"127.0.0.1" => string HOST;
8766 => int PORT;
9005 => int MY_PORT;
"main" => string SESSION;
"nottingham-joint" => string MODEL; // "lyrics" has artists to blend
["Emily Dickinson", "Edgar Allan Poe"] @=> string ARTISTS[];
0.8 => float temperature; // the first value, changed by + and -
0.5 => float blend; // the share of the second artist

OscOut out;
out.dest(HOST, PORT);

fun string address(string action) { return "/rnn/" + SESSION + "/" + action; }

// Sound

class Voice {
    SawOsc saw => LPF filter => ADSR envelope => dac;
    envelope.set(4::ms, 200::ms, 0.5, 150::ms);

    fun void begin(int pitch, int velocity) {
        Std.mtof(pitch) => saw.freq;
        4 * saw.freq() => filter.freq;
        0.12 * velocity / 127 => saw.gain;
        envelope.keyOn();
    }

    fun void end() { envelope.keyOff(); }
}

Voice @ voices[128]; // by pitch; each is made at its first note

fun void note(int pitch, int velocity) {
    if (voices[pitch] == null) new Voice @=> voices[pitch];
    if (velocity > 0) voices[pitch].begin(pitch, velocity);
    else voices[pitch].end();
}

fun void silence() {
    for (0 => int pitch; pitch < 128; pitch++) if (voices[pitch] != null) voices[pitch].end();
}

StifKarp strings[4];
for (0 => int i; i < strings.size(); i++) strings[i] => dac;
0 => int turn;

// A letter's place in the alphabet is a step of a pentatonic scale; a space is a rest, the end of
// a line a low note.
fun void character(string text) {
    [0, 2, 4, 7, 9] @=> int scale[];
    text.charAt(0) => int code;
    if (code == ' ') return;
    code & 31 => int step;
    48 + scale[step % 5] + 12 * (step / 5 % 3) => int pitch;
    if (code == '\n') 36 => pitch;
    (turn + 1) % strings.size() => turn;
    Std.mtof(pitch) => strings[turn].freq;
    strings[turn].noteOn(0.5);
}

// Incoming messages

now => time heardAt;

fun void listen() {
    OscIn in;
    OscMsg message;
    MY_PORT => in.port;
    in.listenAll();
    while (true) {
        in => now;
        while (in.recv(message)) {
            now => heardAt;
            if (message.address == address("char")) {
                <<< "char", message.getString(0), message.getInt(1) >>>;
                character(message.getString(0));
            } else if (message.address == address("note")) {
                <<< "note", message.getInt(0), message.getInt(1), message.getFloat(2) >>>;
                note(message.getInt(0), message.getInt(1));
            } else if (message.address == address("controlled")) {
                // The control, its value, and the first symbol that obeys it.
                message.getString(0) => string name;
                if (message.typetag == "sfi")
                    <<< "controlled", name, message.getFloat(1), message.getInt(2) >>>;
                else if (message.typetag == "ssi")
                    <<< "controlled", name, message.getString(1), message.getInt(2) >>>;
            }
        }
    }
}

// Subscribes again and again: that does no harm, and finds a server that was restarted.
fun void watch() {
    out.start(address("open")).add(MODEL).send();
    while (true) {
        out.start("/rnn/subscribe").add(SESSION).add(MY_PORT).send();
        2::second => now;
        if (now - heardAt > 5::second) {
            <<< "stream-rnn: nothing from", HOST, PORT >>>;
            silence();
        }
    }
}

// Controls

fun void steer() {
    KBHit keys;
    true => int playing;
    while (true) {
        keys => now;
        while (keys.more()) {
            keys.getchar() => int key;
            if (key == '+' || key == '-') {
                Math.max(0, temperature + (key == '+' ? 0.05 : -0.05)) => temperature;
                out.start(address("temperature")).add(temperature).send();
            } else if (key == '<' || key == '>') {
                Math.min(1, Math.max(0, blend + (key == '>' ? 0.25 : -0.25))) => blend;
                out.start(address("artist"));
                out.add(ARTISTS[0]).add(1 - blend).add(ARTISTS[1]).add(blend).send();
            } else if (key == ' ') {
                !playing => playing;
                out.start(address(playing ? "play" : "pause")).send();
            }
        }
    }
}

spork ~ listen();
spork ~ watch();
spork ~ steer();
while (true) 1::day => now;
