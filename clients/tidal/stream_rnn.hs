-- stream-rnn in Tidal: a pattern controls a stream.
--
--   1. In a terminal:  stream-rnn serve
--   2. Put the two blocks below into your BootTidal.hs, instead of its `tidal <- startTidal …`.
--   3. In your editor, after booting:
--
--        once $ rnnOpen "nottingham-joint"
--        d1 $ rnnTemperature "0.3 0.6 0.9 1.2"
--        d2 $ slow 4 $ rnnDensity (range (-1) 1 sine)
--        d3 $ rnnBlend "0 0.25 0.5 1"            -- of the two artists below, for "lyrics"
--        once $ rnnPause 1
--        once $ rnnPlay 1
--
-- Tidal sends bundles ahead of time, and stream-rnn executes them at their timetags. To hear the
-- stream among Tidal's own sounds, make SuperDirt a target of stream-rnn: uncomment the
-- [[osc.target]] for SuperDirt in configs/serve.toml.

:{
let rnnSession = "main"
    rnnArtists = ("Emily Dickinson", "Edgar Allan Poe")
    rnnTarget = superdirtTarget
      { oName = "stream-rnn", oAddress = "127.0.0.1", oPort = 8766, oLatency = 0.1
      , oSchedule = Pre BundleStamp, oBusPort = Nothing, oHandshake = False }
    rnnTo action arguments = OSC ("/rnn/" ++ rnnSession ++ "/" ++ action) (ArgList arguments)
    -- Each is sent when an event has that name, and only then.
    rnnShapes =
      [ rnnTo "open" [("rnnopen", Nothing)]
      , rnnTo "temperature" [("rnntemperature", Nothing)]
      , rnnTo "density" [("rnndensity", Nothing)]
      , rnnTo "bpm" [("rnnbpm", Nothing)]
      , rnnTo "artist"
          [ ("rnnone", Nothing), ("rnnoneweight", Nothing)
          , ("rnntwo", Nothing), ("rnntwoweight", Nothing) ]
      , rnnTo "pause" [("rnnpause", Nothing)]
      , rnnTo "play" [("rnnplay", Nothing)]
      ]
    rnnOpen model = pS "rnnopen" model
    rnnTemperature value = pF "rnntemperature" value
    rnnDensity value = pF "rnndensity" value
    rnnBpm value = pF "rnnbpm" value
    rnnPause = pF "rnnpause"
    rnnPlay = pF "rnnplay"
    rnnBlend second =
      pF "rnntwoweight" second # pF "rnnoneweight" ((1 -) <$> second)
        # pS "rnnone" (pure (fst rnnArtists)) # pS "rnntwo" (pure (snd rnnArtists))
:}

:{
tidal <- startStream (defaultConfig {cFrameTimespan = 1/20})
  [(superdirtTarget {oLatency = 0.1}, [superdirtShape]), (rnnTarget, rnnShapes)]
:}
