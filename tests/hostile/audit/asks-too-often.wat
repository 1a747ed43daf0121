;;= general = ["clock"]
(import "windlass:plugin/clock@0.1.1" "now" (func $now (param i32)))
(func $apply (param i32 i32) (result i32)
  (local $left i32)
  (local.set $left (i32.const 10000))
  (loop $more
    (call $now (i32.const 3072))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $more (local.get $left)))
  (i32.const 1024))
