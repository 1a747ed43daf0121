;; Asks for the time without end: each question is answered, so only the host's patience ends it.
(import "windlass:plugin/clock@0.1.1" "now" (func $now (param i32)))
(func $apply (param i32 i32) (result i32)
  (loop $for_ever (call $now (i32.const 3072)) (br $for_ever))
  (unreachable))
