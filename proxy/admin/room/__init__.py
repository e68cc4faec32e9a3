"""The control room: the admin side as pages, over the functions that the JSON API asks. See docs/control-room.md."""
