;; Takes its standard output a million times, and gives none of the streams back.
;;: package test:guest;
;;: package wasi:io@0.2.0 { interface streams { resource output-stream { } } }
;;: package wasi:cli@0.2.0 {
;;:   interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }
;;: }
;;: world guest { import wasi:cli/stdout@0.2.0; include windlass:plugin/WORLD@0.1.1; }
(import "wasi:cli/stdout@0.2.0" "get-stdout" (func $take (result i32)))
(func $apply (param i32 i32) (result i32)
  (local $left i32)
  (local.set $left (i32.const 1000000))
  (loop $again
    (drop (call $take))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (i32.const 1024))
