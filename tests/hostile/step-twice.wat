;; Plans two steps of one id, so that nobody could say which was done.
(data (i32.const 2048) "\00\00\00\00\10\08\00\00\02\00\00\00")  ;; ok, list at 2064 of 2
(data (i32.const 2064) "\80\08\00\00\04\00\00\00")
(data (i32.const 2108) "\80\08\00\00\04\00\00\00")
(data (i32.const 2176) "same")
(func $steps (result i32) (i32.const 2048))
