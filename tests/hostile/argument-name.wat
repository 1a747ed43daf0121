;; Asks for the clock of a node whose name would be an option of ssh; hands on what it is answered.
(import "windlass:plugin/nodes@0.1.1" "clock-offset" (func $clock_offset (param i32 i32 i32)))
(data (i32.const 2176) "-oProxyCommand=x")
(func $apply (param i32 i32) (result i32)
  (call $clock_offset (i32.const 2176) (i32.const 16) (i32.const 3072))
  (i32.store8 (i32.const 3200) (i32.load8_u (i32.const 3072)))
  (memory.copy (i32.const 3204) (i32.const 3080) (i32.const 24))
  (i32.const 3200))
