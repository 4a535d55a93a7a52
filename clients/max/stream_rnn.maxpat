{
  "patcher": {
    "fileversion": 1,
    "appversion": {
      "major": 8,
      "minor": 5,
      "revision": 0,
      "architecture": "x64",
      "modernui": 1
    },
    "classnamespace": "box",
    "rect": [
      80.0,
      100.0,
      620.0,
      360.0
    ],
    "boxes": [
      {
        "box": {
          "id": "title",
          "maxclass": "comment",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            20.0,
            15.0,
            560.0,
            22.0
          ],
          "text": "stream-rnn in Max. In a terminal: stream-rnn serve. In this folder, once: npm install osc"
        }
      },
      {
        "box": {
          "id": "script",
          "maxclass": "newobj",
          "numinlets": 1,
          "numoutlets": 2,
          "patching_rect": [
            20.0,
            170.0,
            240.0,
            22.0
          ],
          "text": "node.script stream_rnn.js @autostart 1",
          "outlettype": [
            "",
            ""
          ]
        }
      },
      {
        "box": {
          "id": "tlabel",
          "maxclass": "comment",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            20.0,
            45.0,
            130.0,
            22.0
          ],
          "text": "temperature, 0 to 2"
        }
      },
      {
        "box": {
          "id": "tnumber",
          "maxclass": "flonum",
          "numinlets": 1,
          "numoutlets": 2,
          "patching_rect": [
            20.0,
            70.0,
            60.0,
            22.0
          ],
          "minimum": 0.0,
          "maximum": 2.0,
          "format": 6,
          "outlettype": [
            "",
            "bang"
          ]
        }
      },
      {
        "box": {
          "id": "tmessage",
          "maxclass": "message",
          "numinlets": 2,
          "numoutlets": 1,
          "patching_rect": [
            20.0,
            100.0,
            100.0,
            22.0
          ],
          "text": "temperature $1",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "alabel",
          "maxclass": "comment",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            180.0,
            45.0,
            280.0,
            22.0
          ],
          "text": "artists (with model=lyrics after stream_rnn.js)"
        }
      },
      {
        "box": {
          "id": "amessage",
          "maxclass": "message",
          "numinlets": 2,
          "numoutlets": 1,
          "patching_rect": [
            180.0,
            70.0,
            290.0,
            22.0
          ],
          "text": "artist \"Emily Dickinson\" 2 \"Edgar Allan Poe\" 1",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "pause",
          "maxclass": "message",
          "numinlets": 2,
          "numoutlets": 1,
          "patching_rect": [
            180.0,
            100.0,
            50.0,
            22.0
          ],
          "text": "pause",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "play",
          "maxclass": "message",
          "numinlets": 2,
          "numoutlets": 1,
          "patching_rect": [
            240.0,
            100.0,
            40.0,
            22.0
          ],
          "text": "play",
          "outlettype": [
            ""
          ]
        }
      },
      {
        "box": {
          "id": "route",
          "maxclass": "newobj",
          "numinlets": 5,
          "numoutlets": 5,
          "patching_rect": [
            20.0,
            210.0,
            220.0,
            22.0
          ],
          "text": "route note char controlled error",
          "outlettype": [
            "",
            "",
            "",
            "",
            ""
          ]
        }
      },
      {
        "box": {
          "id": "unpack",
          "maxclass": "newobj",
          "numinlets": 1,
          "numoutlets": 3,
          "patching_rect": [
            20.0,
            250.0,
            90.0,
            22.0
          ],
          "text": "unpack 0 0 0.",
          "outlettype": [
            "int",
            "int",
            "float"
          ]
        }
      },
      {
        "box": {
          "id": "noteout",
          "maxclass": "newobj",
          "numinlets": 3,
          "numoutlets": 0,
          "patching_rect": [
            20.0,
            290.0,
            60.0,
            22.0
          ],
          "text": "noteout"
        }
      },
      {
        "box": {
          "id": "pchar",
          "maxclass": "newobj",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            130.0,
            250.0,
            70.0,
            22.0
          ],
          "text": "print char"
        }
      },
      {
        "box": {
          "id": "pcontrolled",
          "maxclass": "newobj",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            210.0,
            250.0,
            100.0,
            22.0
          ],
          "text": "print controlled"
        }
      },
      {
        "box": {
          "id": "perror",
          "maxclass": "newobj",
          "numinlets": 1,
          "numoutlets": 0,
          "patching_rect": [
            320.0,
            250.0,
            80.0,
            22.0
          ],
          "text": "print error"
        }
      }
    ],
    "lines": [
      {
        "patchline": {
          "source": [
            "tnumber",
            0
          ],
          "destination": [
            "tmessage",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "tmessage",
            0
          ],
          "destination": [
            "script",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "amessage",
            0
          ],
          "destination": [
            "script",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "pause",
            0
          ],
          "destination": [
            "script",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "play",
            0
          ],
          "destination": [
            "script",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "script",
            0
          ],
          "destination": [
            "route",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "route",
            0
          ],
          "destination": [
            "unpack",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "unpack",
            0
          ],
          "destination": [
            "noteout",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "unpack",
            1
          ],
          "destination": [
            "noteout",
            1
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "route",
            1
          ],
          "destination": [
            "pchar",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "route",
            2
          ],
          "destination": [
            "pcontrolled",
            0
          ]
        }
      },
      {
        "patchline": {
          "source": [
            "route",
            3
          ],
          "destination": [
            "perror",
            0
          ]
        }
      }
    ]
  }
}
