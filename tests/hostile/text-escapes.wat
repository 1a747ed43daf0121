;; Answers with a message that would clear the screen and forge a second line, and a code that is none.
(data (i32.const 2048) "\01\00\00\00\80\08\00\00\03\00\00\00\90\08\00\00\15\00\00\00\00\00\00\00\00\00\00\00")
(data (i32.const 2176) "\1b[A")
(data (i32.const 2192) "gone\1b[2J\0aall is well\07")
(func $apply (param i32 i32) (result i32) (i32.const 2048))
