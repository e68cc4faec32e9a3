"""The legacy backend of the demo: a feed reader with photos as a synchronous monolith on relational SQLite."""
