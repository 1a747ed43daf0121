;; Makes a million handles of a resource of its own, and drops none.
;;: package test:guest;
;;: interface things { resource thing { } }
;;: world guest { export things; include windlass:plugin/WORLD@0.1.1; }
(import "[export]test:guest/things" "[resource-new]thing" (func $new (param i32) (result i32)))
(func $apply (param i32 i32) (result i32)
  (local $left i32)
  (local.set $left (i32.const 1000000))
  (loop $again
    (drop (call $new (i32.const 7)))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (i32.const 1024))
