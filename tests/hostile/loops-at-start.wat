;; Never comes to its first export: the start function loops.
(func $start (loop $for_ever (br $for_ever)))
(start $start)
