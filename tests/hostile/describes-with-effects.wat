;; Keeps a value while it describes itself, and traps unless that is refused.
(import "windlass:plugin/state@0.1.1" "set" (func $set (param i32 i32 i32 i32 i32)))
(data (i32.const 2176) "x")
(func $describe (result i32)
  (call $set (i32.const 2176) (i32.const 1) (i32.const 2176) (i32.const 1) (i32.const 3072))
  (if (i32.eqz (i32.load8_u (i32.const 3072))) (then (unreachable)))
  (i32.const 1024))
