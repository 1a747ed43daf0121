;; Plans two milliard steps in a memory of 64 KiB.
(data (i32.const 2048) "\00\00\00\00\10\10\00\00\ff\ff\ff\7f")
(func $steps (result i32) (i32.const 2048))
