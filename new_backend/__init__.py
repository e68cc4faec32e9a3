"""The new backend of the demo: the feed reader redesigned on documents, with a cache and a thumbnail queue."""
