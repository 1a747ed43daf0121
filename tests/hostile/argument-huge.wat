;; Hands the host a note of 20 MiB.
(import "windlass:plugin/operator@0.1.1" "note" (func $note (param i32 i32 i32)))
(memory (export "memory") 400)
(func $apply (param i32 i32) (result i32)
  (call $note (i32.const 65536) (i32.const 20971520) (i32.const 1024))
  (i32.const 1024))
