;; Answers with a message of 20 MiB.
(memory (export "memory") 400)
(data (i32.const 2048) "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\40\01\00\00\00\00\00\00\00\00")
(func $apply (param i32 i32) (result i32) (i32.const 2048))
