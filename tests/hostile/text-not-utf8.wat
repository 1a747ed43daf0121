;; Answers with a message that is not text.
(data (i32.const 2048) "\01\00\00\00\00\00\00\00\00\00\00\00\90\08\00\00\02\00\00\00\00\00\00\00\00\00\00\00")
(data (i32.const 2192) "\ff\fe")
(func $apply (param i32 i32) (result i32) (i32.const 2048))
