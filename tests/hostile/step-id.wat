;; Plans one step whose id would be a path.
(data (i32.const 2048) "\00\00\00\00\10\08\00\00\01\00\00\00")  ;; ok, list at 2064 of 1
(data (i32.const 2064) "\80\08\00\00\0b\00\00\00")              ;; id: 11 bytes at 2176
(data (i32.const 2176) "../../etc/x")
(func $steps (result i32) (i32.const 2048))
