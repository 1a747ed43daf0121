(import "windlass:plugin/clock@0.1.1" "sleep" (func $sleep (param i32 i32)))
(func $apply (param i32 i32) (result i32)
  (call $sleep (i32.const 1000) (i32.const 3072))
  (i32.const 1024))
